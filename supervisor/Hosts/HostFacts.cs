using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Supervisor.Hosts;

/// <summary>What a host says of itself, as far as a control plane depends on it.</summary>
internal sealed record HostFacts
{
    /// <summary>Its name, as <c>hostname</c> gives it.</summary>
    public required string HostName { get; init; }

    /// <summary>Addresses that it finds for its own name.</summary>
    public required IReadOnlyList<string> OwnNameAddresses { get; init; }

    /// <summary>Its clock, when asked.</summary>
    public required DateTimeOffset Clock { get; init; }

    /// <summary>Seconds that its clock may be wrong by as the kernel's time discipline says; null when nothing disciplines it.</summary>
    public required double? ClockErrorSeconds { get; init; }

    /// <summary>MTU of the management link in bytes; null when there is no such link.</summary>
    public required int? Mtu { get; init; }

    /// <summary>Whether the management link is up.</summary>
    public required bool LinkUp { get; init; }

    /// <summary>The greater of <c>rp_filter</c> of all links and of the management link: 0 off, 1 strict, 2 loose.</summary>
    public required int RpFilter { get; init; }

    /// <summary>Ranges that it has routes to, other than the default, with the link.</summary>
    public required IReadOnlyList<HostRoute> Routes { get; init; }

    /// <summary>Addresses on the management link.</summary>
    public required IReadOnlyList<string> LinkAddresses { get; init; }

    /// <summary>Names that were to be found by DNS, and what was found: addresses, or empty.</summary>
    public required IReadOnlyDictionary<string, string> Names { get; init; }

    /// <summary>Addresses that somebody else on the management link has, with the hardware address.</summary>
    public required IReadOnlyDictionary<string, string> Taken { get; init; }

    /// <summary>Programs that are needed and are not there.</summary>
    public required IReadOnlyList<string> MissingPrograms { get; init; }

    /// <summary>Programs whose version was asked for, and what they say, <c>v1.20.2</c>; those that say nothing are left out.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>Free bytes where the member's data is to be.</summary>
    public required long FreeBytes { get; init; }

    /// <summary>As text for another host.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, HostFactsJson.Default.HostFacts);

    /// <summary>From another host's text.</summary>
    /// <param name="text">JSON.</param>
    /// <exception cref="JsonException">It is none.</exception>
    public static HostFacts From(string text) => JsonSerializer.Deserialize(text, HostFactsJson.Default.HostFacts) ?? throw new JsonException("no facts");
}

/// <summary>One route of a host.</summary>
/// <param name="Range">Where to.</param>
/// <param name="Link">By which link.</param>
internal sealed record HostRoute(string Range, string Link)
{
    /// <summary>The range, or null when it is none.</summary>
    [JsonIgnore]
    public IPNetwork? Network => IPNetwork.TryParse(Range, out IPNetwork network) ? network : null;
}

/// <summary>The JSON of facts.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(HostFacts))]
internal sealed partial class HostFactsJson : JsonSerializerContext;
