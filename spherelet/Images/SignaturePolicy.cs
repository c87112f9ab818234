using System.Text.Json;

namespace Vks.Spherelet.Images;

/// <summary>The host's rules on signatures, containers-policy.json(5): the file given, else the host's own, else one that accepts every image as docker and containerd do.</summary>
/// <param name="given">A policy file instead of the host's, or null.</param>
/// <param name="directory">Keeps the file of last resort.</param>
internal sealed class SignaturePolicy(string? given, ImageDirectory directory)
{
    private const string HostPolicy = "/etc/containers/policy.json";
    private const string AcceptAnything = "insecureAcceptAnything";

    /// <summary>The file for the registry tool.</summary>
    public string FilePath()
    {
        if (given is not null || File.Exists(HostPolicy))
        {
            return given ?? HostPolicy;
        }

        string own = Path.Combine(directory.Root, "policy.json");
        if (!File.Exists(own))
        {
            directory.WriteWhole(own, "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}\n"u8);
        }

        return own;
    }

    /// <summary>No rule of the file asks for anything. False too when it cannot be read: the tool is to say what is wrong.</summary>
    public bool AcceptsEverything()
    {
        try
        {
            using JsonDocument policy = JsonDocument.Parse(File.ReadAllBytes(FilePath()));
            return Requirements(policy.RootElement).All(static type => type == AcceptAnything);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The <c>type</c> of every rule, wherever it stands.</summary>
    private static IEnumerable<string?> Requirements(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => element.EnumerateArray().SelectMany(static rule =>
            rule.ValueKind == JsonValueKind.Object && rule.TryGetProperty("type", out JsonElement type) ? [type.GetString()] : new string?[] { null }),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(static member => Requirements(member.Value)),
        _ => [null],
    };
}
