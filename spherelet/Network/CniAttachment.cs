using System.Text.Json.Serialization;

namespace Vks.Spherelet.Network;

/// <summary>One pod's place in one network, with all that DEL must see again. Stored before ADD runs.</summary>
internal sealed record CniAttachment
{
    /// <summary>The pod sandbox id; CNI_CONTAINERID.</summary>
    public required string PodId { get; init; }

    /// <summary>The pod's network namespace; CNI_NETNS.</summary>
    public required string NetnsPath { get; init; }

    /// <summary>The interface in it; CNI_IFNAME.</summary>
    public required string InterfaceName { get; init; }

    /// <summary>CNI_ARGS.</summary>
    public required string Arguments { get; init; }

    /// <summary>One JSON value by capability.</summary>
    public required IReadOnlyDictionary<string, string> RuntimeConfig { get; init; }

    /// <summary>The network's configuration as it was at ADD.</summary>
    public required string NetworkText { get; init; }

    /// <summary>The result of ADD, or null when ADD did not end well.</summary>
    public string? Result { get; init; }

    /// <summary>The network, read from <see cref="NetworkText"/>.</summary>
    [JsonIgnore]
    public CniConfiguration Network => CniConfiguration.Parse(NetworkText, $"of pod {PodId}");
}

/// <summary>JSON of <see cref="CniAttachment"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true)]
[JsonSerializable(typeof(CniAttachment))]
internal sealed partial class CniJson : JsonSerializerContext;
