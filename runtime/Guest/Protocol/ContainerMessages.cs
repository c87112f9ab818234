using System.Text.Json;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>Names a container.</summary>
/// <param name="ContainerId">64 hex digits.</param>
public sealed record ContainerReference(string ContainerId);

/// <summary>Everything the agent needs to build a container's bundle and hand it to crun.</summary>
public sealed record ContainerSpec
{
    /// <summary>64 hex digits.</summary>
    public required string ContainerId { get; init; }

    /// <summary>SCSI serial of the read-only image disk, at most 20 characters.</summary>
    public required string ImageDisk { get; init; }

    /// <summary>The first process.</summary>
    public required ProcessSpec Process { get; init; }

    /// <summary>Mounts in order, after the usual /proc, /dev, /sys.</summary>
    public IReadOnlyList<MountSpec> Mounts { get; init => field = value ?? []; } = [];

    /// <summary>The root file system is mounted read-only.</summary>
    public bool ReadOnlyRoot { get; init; }

    /// <summary>All capabilities, all guest devices, writable sysfs, no masked paths, no seccomp.</summary>
    public bool Privileged { get; init; }

    /// <summary>Paths hidden from the container.</summary>
    public IReadOnlyList<string> MaskedPaths { get; init => field = value ?? []; } = [];

    /// <summary>Paths made read-only in the container.</summary>
    public IReadOnlyList<string> ReadOnlyPaths { get; init => field = value ?? []; } = [];

    /// <summary>Whose PID namespace the container lives in.</summary>
    public PidNamespace PidNamespace { get; init; } = PidNamespace.Container;

    /// <summary>The container whose PID namespace is joined when <see cref="PidNamespace"/> is Target.</summary>
    public string? PidTarget { get; init; }

    /// <summary>The container gets an IPC namespace of its own instead of the pod's.</summary>
    public bool PrivateIpc { get; init; }

    /// <summary>The container gets a network namespace of its own, with a loopback interface and nothing else, instead of the pod's.</summary>
    public bool PrivateNetwork { get; init; }

    /// <summary>Devices of the guest beside the usual ones.</summary>
    public IReadOnlyList<DeviceSpec> Devices { get; init => field = value ?? []; } = [];

    /// <summary>Limits, kept by the container's cgroup in the guest.</summary>
    public ResourceLimits Resources { get; init => field = value ?? new(); } = new();

    /// <summary>Seccomp profile as the OCI runtime spec's <c>linux.seccomp</c> JSON object, or null for unconfined.</summary>
    public string? SeccompJson { get; init; }

    /// <summary>OCI annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    /// <summary>Standard input stays open for <see cref="GuestMethods.ContainerInput"/>; otherwise it is /dev/null.</summary>
    public bool Stdin { get; init; }

    /// <summary>Standard input closes after the first input call ends.</summary>
    public bool StdinOnce { get; init; }
}

/// <summary>Whose PID namespace a container lives in.</summary>
public enum PidNamespace
{
    /// <summary>One of its own.</summary>
    Container = 0,

    /// <summary>One shared by the pod's containers.</summary>
    Pod = 1,

    /// <summary>Another container's.</summary>
    Target = 2,

    /// <summary>The guest's own, agent included.</summary>
    Guest = 3,
}

/// <summary>One device that shows in a container: one every guest has, or a disk.</summary>
/// <param name="GuestPath">Absolute path in the guest, <c>/dev/fuse</c>; ignored for a disk.</param>
/// <param name="ContainerPath">Absolute path in the container.</param>
/// <param name="Access">Of <c>r</c>, <c>w</c> and <c>m</c> (make a node for it).</param>
/// <param name="Disk">SCSI serial of the hot-plugged disk it is, or null. Its node belongs to the user of the container's first process.</param>
public sealed record DeviceSpec(string GuestPath, string ContainerPath, string Access, string? Disk = null);

/// <summary>A process of a container: the first one or an exec.</summary>
public sealed record ProcessSpec
{
    /// <summary>Program and arguments; never empty.</summary>
    public required IReadOnlyList<string> Args { get; init; }

    /// <summary><c>NAME=value</c> entries. PATH is added when missing, HOME from the user's passwd entry.</summary>
    public IReadOnlyList<string> Env { get; init => field = value ?? []; } = [];

    /// <summary>Absolute; created in the container when missing.</summary>
    public string WorkingDirectory { get; init => field = value ?? "/"; } = "/";

    /// <summary>
    /// As in an image's <c>config.User</c>: empty, <c>name</c>, <c>uid</c>, <c>name:group</c>, <c>uid:gid</c>; resolved against the
    /// container's own passwd and group files.
    /// </summary>
    public string User { get; init => field = value ?? ""; } = "";

    /// <summary><see cref="User"/> is a name that the container's passwd must have, even if it looks like a number.</summary>
    public bool UserIsName { get; init; }

    /// <summary>Groups beside the primary one.</summary>
    public IReadOnlyList<uint> SupplementalGroups { get; init => field = value ?? []; } = [];

    /// <summary>False: groups of the image's /etc/group that name the user are added too (CRI policy Merge).</summary>
    public bool StrictSupplementalGroups { get; init; }

    /// <summary>A terminal instead of three pipes; its output comes on Output alone.</summary>
    public bool Terminal { get; init; }

    /// <summary>Capability names, <c>CAP_CHOWN</c> …; the bounding, permitted and effective sets.</summary>
    public IReadOnlyList<string> Capabilities { get; init => field = value ?? []; } = [];

    /// <summary>Capabilities that are also inheritable and ambient.</summary>
    public IReadOnlyList<string> AmbientCapabilities { get; init => field = value ?? []; } = [];

    /// <summary>Sets PR_SET_NO_NEW_PRIVS.</summary>
    public bool NoNewPrivileges { get; init; }

    /// <summary>Resource limits of setrlimit(2).</summary>
    public IReadOnlyList<ResourceLimit> Rlimits { get; init => field = value ?? []; } = [];

    /// <summary>-1000 to 1000.</summary>
    public int OomScoreAdjust { get; init; }
}

/// <summary>One limit of setrlimit(2).</summary>
/// <param name="Type"><c>RLIMIT_NOFILE</c> and so on.</param>
/// <param name="Soft">Soft limit in the limit's own unit.</param>
/// <param name="Hard">Hard limit in the limit's own unit.</param>
public sealed record ResourceLimit(string Type, ulong Soft, ulong Hard);

/// <summary>Limits of a container's cgroup in the guest. Zero means: no limit of its own.</summary>
public sealed record ResourceLimits
{
    /// <summary>cgroup v1 scale, 2 to 262144.</summary>
    public long CpuShares { get; init; }

    /// <summary>Microseconds of CPU time per period.</summary>
    public long CpuQuotaMicroseconds { get; init; }

    /// <summary>Microseconds, 1000 to 1000000.</summary>
    public long CpuPeriodMicroseconds { get; init; }

    /// <summary>CPU list, <c>0-1,3</c>; CPUs that the guest does not have are passed over.</summary>
    public string? CpusetCpus { get; init; }

    /// <summary>Memory node list.</summary>
    public string? CpusetMems { get; init; }

    /// <summary>Bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Memory plus swap in bytes.</summary>
    public long MemorySwapBytes { get; init; }

    /// <summary>Most processes and threads.</summary>
    public long PidsLimit { get; init; }

    /// <summary>Limits of huge pages; a page size that the guest does not have may only be limited to nothing.</summary>
    public IReadOnlyList<HugepageLimit> HugepageLimits { get; init => field = value ?? []; } = [];

    /// <summary>cgroup v2 files by name, written as they are.</summary>
    public IReadOnlyDictionary<string, string> Unified { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();
}

/// <summary>Most bytes in huge pages of one size.</summary>
/// <param name="PageSize">As the kernel writes it: <c>64KB</c>, <c>2MB</c>, <c>1GB</c>.</param>
/// <param name="Bytes">The limit.</param>
public sealed record HugepageLimit(string PageSize, ulong Bytes);

/// <summary>One mount of a container.</summary>
public sealed record MountSpec
{
    /// <summary>Where the bytes come from.</summary>
    public required MountSource Kind { get; init; }

    /// <summary>Share: path below the share; Disk: SCSI serial; Volume: SCSI serial, or a name of that form for one in memory; Tmpfs: ignored; GuestPath: absolute path in the guest.</summary>
    public string Source { get; init => field = value ?? ""; } = "";

    /// <summary>Absolute path in the container.</summary>
    public required string Destination { get; init; }

    /// <summary>Mount options in the words of the OCI runtime spec: <c>ro</c>, <c>rro</c>, <c>rbind</c>, <c>rshared</c>, <c>size=64m</c> ….</summary>
    public IReadOnlyList<string> Options { get; init => field = value ?? []; } = [];

    /// <summary>For Disk and Volume: the path below the root that is mounted; empty for the root. Missing folders of a volume are made.</summary>
    public string SubPath { get; init => field = value ?? ""; } = "";

    /// <summary>For Volume: what it is to be when it is new.</summary>
    public VolumeSpec? Volume { get; init; }
}

/// <summary>A volume of the pod: an ext4 on a hot-plugged disk, or memory. It is mounted once for all containers.</summary>
/// <param name="Root">Its root.</param>
/// <param name="SubPath">Folders that are made for a mount's sub-path.</param>
/// <param name="InMemory">It is a tmpfs, which lasts as long as the machine.</param>
/// <param name="MemoryBytes">Most bytes of such a one; 0: half of the guest's memory.</param>
public sealed record VolumeSpec(VolumeFolder Root, VolumeFolder SubPath, bool InMemory, long MemoryBytes);

/// <summary>Whose a new folder of a volume is.</summary>
/// <param name="UserId">Owner.</param>
/// <param name="GroupId">Group.</param>
/// <param name="Mode">Permission bits, set-id and sticky ones too.</param>
public sealed record VolumeFolder(uint UserId, uint GroupId, uint Mode);

/// <summary>Where the bytes of a mount come from.</summary>
public enum MountSource
{
    /// <summary>The virtio-9p share of the pod.</summary>
    Share = 1,

    /// <summary>A hot-plugged disk with a file system (an image volume).</summary>
    Disk = 2,

    /// <summary>Memory.</summary>
    Tmpfs = 3,

    /// <summary>A path of the guest itself.</summary>
    GuestPath = 4,

    /// <summary>A volume that belongs to the pod alone (emptyDir).</summary>
    Volume = 5,
}

/// <summary>A built container: who its first process will be.</summary>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Primary group.</param>
/// <param name="Groups">All groups, the primary one first.</param>
public sealed record ContainerMade(uint Uid, uint Gid, IReadOnlyList<uint> Groups);

/// <summary>A started container.</summary>
/// <param name="Pid">Process id in the guest.</param>
/// <param name="StartedUnixNanoseconds">Guest wall clock.</param>
public sealed record ContainerStarted(int Pid, long StartedUnixNanoseconds);

/// <summary>What crun is told to run.</summary>
/// <param name="RuntimeSpec">
/// The OCI runtime spec's config.json with the limits as last updated. Before the start, the PID namespace that will be joined has no path yet.
/// </param>
public sealed record ContainerDescription(JsonElement RuntimeSpec);

/// <summary>Sends a signal.</summary>
/// <param name="ContainerId">The container.</param>
/// <param name="Signal">Number, 1 to 64.</param>
/// <param name="All">Every process of the container instead of its first.</param>
public sealed record SignalRequest(string ContainerId, int Signal, bool All);

/// <summary>The states of a container in the guest.</summary>
public enum GuestContainerState
{
    /// <summary>Built, program not yet running.</summary>
    Created = 1,

    /// <summary>Running.</summary>
    Running = 2,

    /// <summary>Its first process has ended.</summary>
    Exited = 3,
}

/// <summary>One container as the guest knows it.</summary>
/// <param name="ContainerId">64 hex digits.</param>
/// <param name="State">Its state.</param>
/// <param name="Pid">Process id in the guest, or 0.</param>
/// <param name="StartedUnixNanoseconds">0 until started.</param>
/// <param name="FinishedUnixNanoseconds">0 until exited.</param>
/// <param name="ExitCode">0 to 255; 128 + signal when a signal ended it.</param>
/// <param name="OutOfMemory">The kernel killed one of its processes for want of memory.</param>
public sealed record ContainerReport(
    string ContainerId,
    GuestContainerState State,
    int Pid,
    long StartedUnixNanoseconds,
    long FinishedUnixNanoseconds,
    int ExitCode,
    bool OutOfMemory)
{
    /// <summary>Offset of the first byte of standard output that is still kept: those before were acknowledged.</summary>
    public long OutputStart { get; init; }

    /// <summary>The same of standard error.</summary>
    public long ErrorStart { get; init; }
}

/// <summary>All containers of the guest.</summary>
/// <param name="Containers">In order of creation.</param>
public sealed record ContainerList(IReadOnlyList<ContainerReport> Containers);

/// <summary>Asks for a container's output.</summary>
/// <param name="ContainerId">The container.</param>
/// <param name="OutputOffset">Bytes of standard output already stored by the host.</param>
/// <param name="ErrorOffset">Bytes of standard error already stored by the host.</param>
public sealed record OutputRequest(string ContainerId, long OutputOffset, long ErrorOffset);

/// <summary>The end of a container's output.</summary>
/// <param name="OutputBytes">Total bytes of standard output.</param>
/// <param name="ErrorBytes">Total bytes of standard error.</param>
public sealed record OutputResult(long OutputBytes, long ErrorBytes);

/// <summary>Sets a terminal's size.</summary>
/// <param name="ContainerId">The container, when its own terminal is meant.</param>
/// <param name="ExecId">The exec's id, or null for the container's own terminal.</param>
/// <param name="Columns">1 to 65535.</param>
/// <param name="Rows">1 to 65535.</param>
public sealed record ResizeRequest(string ContainerId, string? ExecId, int Columns, int Rows);

/// <summary>Runs one more process in a running container.</summary>
public sealed record ExecSpec
{
    /// <summary>The container.</summary>
    public required string ContainerId { get; init; }

    /// <summary>Chosen by the host, unique in the guest.</summary>
    public required string ExecId { get; init; }

    /// <summary>Program and arguments.</summary>
    public required IReadOnlyList<string> Args { get; init; }

    /// <summary>A terminal instead of pipes.</summary>
    public bool Terminal { get; init; }

    /// <summary>Whether Input is used; otherwise the process reads end of file.</summary>
    public bool Stdin { get; init; }

    /// <summary>Milliseconds until it is killed and the call ends with TimedOut; 0 for none.</summary>
    public long TimeoutMilliseconds { get; init; }
}

/// <summary>How an exec ended.</summary>
/// <param name="ExitCode">0 to 255; 128 + signal when a signal ended it.</param>
public sealed record ExecResult(int ExitCode);

/// <summary>Changes limits.</summary>
/// <param name="ContainerId">The container.</param>
/// <param name="Resources">All limits as they are to be from now on, so that sending it twice changes nothing more.</param>
/// <param name="OomScoreAdjust">-1000 to 1000, for processes that still have the one the container was given.</param>
public sealed record UpdateRequest(string ContainerId, ResourceLimits Resources, int OomScoreAdjust = 0);
