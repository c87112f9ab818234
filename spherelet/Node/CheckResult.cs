using System.Text.Json.Serialization;

namespace Vks.Spherelet.Node;

/// <summary>How a check of the host came out.</summary>
internal enum CheckStatus
{
    /// <summary>As it should be.</summary>
    Ok = 0,

    /// <summary>Pods run, but something is slower or missing that a user may expect.</summary>
    Warn = 1,

    /// <summary>Pods cannot run.</summary>
    Fail = 2,
}

/// <summary>One named check of the host.</summary>
/// <param name="Name">What was looked at; stable, for scripts.</param>
/// <param name="Status">How it came out.</param>
/// <param name="Found">What was found.</param>
/// <param name="Fix">What to do when it is not as it should be; always there.</param>
internal sealed record CheckResult(string Name, CheckStatus Status, string Found, string Fix);

/// <summary>JSON of <c>spherelet doctor --json</c>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(IReadOnlyList<CheckResult>))]
internal sealed partial class CheckJson : JsonSerializerContext;
