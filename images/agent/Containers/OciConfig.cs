using System.Text.Json;
using System.Text.Json.Serialization;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>The members of the OCI runtime spec's config.json that the agent writes; names as the spec has them.</summary>
internal sealed record OciConfig
{
    public string OciVersion { get; init; } = "1.0.2";
    public required OciProcess Process { get; init; }
    public required OciRoot Root { get; init; }
    public required IReadOnlyList<OciMount> Mounts { get; init; }
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
    public required OciLinux Linux { get; init; }
}

/// <summary>process.</summary>
internal sealed record OciProcess
{
    public bool Terminal { get; init; }
    public required OciUser User { get; init; }
    public required IReadOnlyList<string> Args { get; init; }
    public required IReadOnlyList<string> Env { get; init; }
    public required string Cwd { get; init; }
    public OciCapabilities? Capabilities { get; init; }
    public IReadOnlyList<OciRlimit>? Rlimits { get; init; }
    public bool NoNewPrivileges { get; init; }
    public int? OomScoreAdj { get; init; }
}

/// <summary>process.user.</summary>
internal sealed record OciUser(uint Uid, uint Gid, IReadOnlyList<uint> AdditionalGids);

/// <summary>process.capabilities.</summary>
internal sealed record OciCapabilities(
    IReadOnlyList<string> Bounding,
    IReadOnlyList<string> Effective,
    IReadOnlyList<string> Permitted,
    IReadOnlyList<string> Inheritable,
    IReadOnlyList<string> Ambient);

/// <summary>One of process.rlimits.</summary>
internal sealed record OciRlimit(string Type, ulong Hard, ulong Soft);

/// <summary>root.</summary>
internal sealed record OciRoot(string Path, bool Readonly);

/// <summary>One of mounts.</summary>
internal sealed record OciMount(string Destination, string Type, string Source, IReadOnlyList<string> Options);

/// <summary>linux.</summary>
internal sealed record OciLinux
{
    public required IReadOnlyList<OciNamespace> Namespaces { get; init; }
    public IReadOnlyList<OciIdMapping>? UidMappings { get; init; }
    public IReadOnlyList<OciIdMapping>? GidMappings { get; init; }
    public required string CgroupsPath { get; init; }
    public IReadOnlyList<OciDevice>? Devices { get; init; }
    public required OciResources Resources { get; init; }
    public IReadOnlyList<string>? MaskedPaths { get; init; }
    public IReadOnlyList<string>? ReadonlyPaths { get; init; }
    public JsonElement? Seccomp { get; init; }
}

/// <summary>One of linux.namespaces.</summary>
internal sealed record OciNamespace(string Type, string? Path = null);

/// <summary>One of linux.uidMappings and linux.gidMappings.</summary>
internal sealed record OciIdMapping(
    [property: JsonPropertyName("containerID"), JsonIgnore(Condition = JsonIgnoreCondition.Never)] uint ContainerId,
    [property: JsonPropertyName("hostID"), JsonIgnore(Condition = JsonIgnoreCondition.Never)] uint HostId,
    uint Size)
{
    /// <summary>A range as a list of one mapping.</summary>
    internal static IReadOnlyList<OciIdMapping> Of(IdRange range) => [new OciIdMapping(0, range.First, range.Length)];
}

/// <summary>One of linux.devices.</summary>
internal sealed record OciDevice(string Path, string Type, long Major, long Minor, uint FileMode, uint Uid = 0, uint Gid = 0);

/// <summary>linux.resources.</summary>
internal sealed record OciResources
{
    public IReadOnlyList<OciDeviceRule>? Devices { get; init; }
    public OciMemory? Memory { get; init; }
    public OciCpu? Cpu { get; init; }
    public OciPids? Pids { get; init; }
    public IReadOnlyList<OciHugepageLimit>? HugepageLimits { get; init; }
    public IReadOnlyDictionary<string, string>? Unified { get; init; }
}

/// <summary>One of linux.resources.devices.</summary>
internal sealed record OciDeviceRule(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] bool Allow, string Access, string? Type = null, long? Major = null, long? Minor = null);

/// <summary>linux.resources.memory, bytes.</summary>
internal sealed record OciMemory(long? Limit, long? Swap);

/// <summary>linux.resources.cpu.</summary>
internal sealed record OciCpu(ulong? Shares, long? Quota, ulong? Period, string? Cpus, string? Mems);

/// <summary>One of linux.resources.hugepageLimits, bytes.</summary>
internal sealed record OciHugepageLimit(string PageSize, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] ulong Limit);

/// <summary>linux.resources.pids.</summary>
internal sealed record OciPids(long Limit);

/// <summary>JSON of config.json, of exec's process file and of update's resources.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OciConfig))]
[JsonSerializable(typeof(OciProcess))]
[JsonSerializable(typeof(OciResources))]
internal sealed partial class OciJson : JsonSerializerContext;
