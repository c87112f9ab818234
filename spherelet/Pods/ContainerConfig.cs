using System.Globalization;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;

namespace Vks.Spherelet.Pods;

/// <summary>What a container is to be. Kept on disk as it was asked for.</summary>
internal sealed record ContainerConfig
{
    /// <summary>Its name in the pod.</summary>
    public required string Name { get; init; }

    /// <summary>Counts the containers made under that name.</summary>
    public uint Attempt { get; init; }

    /// <summary>Image reference or id.</summary>
    public required string Image { get; init; }

    /// <summary>The image as the user wrote it, or empty.</summary>
    public string UserSpecifiedImage { get; init; } = "";

    /// <summary>Replaces the image's entrypoint and drops its arguments, when not empty.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Replaces the image's arguments, when not empty.</summary>
    public IReadOnlyList<string> Args { get; init; } = [];

    /// <summary>Absolute, or empty for the image's own.</summary>
    public string WorkingDirectory { get; init; } = "";

    /// <summary><c>NAME=value</c>, later ones win, also over the image's.</summary>
    public IReadOnlyList<string> Env { get; init; } = [];

    /// <summary>Host paths and images that show in the container.</summary>
    public IReadOnlyList<ContainerMount> Mounts { get; init; } = [];

    /// <summary>Devices that every guest has, and block devices of the host.</summary>
    public IReadOnlyList<ContainerDevice> Devices { get; init; } = [];

    /// <summary>Labels, for filters.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Annotations, kept for the caller.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    /// <summary>Log file below the pod's log directory, or empty for none.</summary>
    public string LogPath { get; init; } = "";

    /// <summary>Standard input stays open for attach.</summary>
    public bool Stdin { get; init; }

    /// <summary>Standard input ends with the first client.</summary>
    public bool StdinOnce { get; init; }

    /// <summary>The process has a terminal.</summary>
    public bool Tty { get; init; }

    /// <summary>Who it runs as and what it may do.</summary>
    public ContainerSecurity Security { get; init; } = new();

    /// <summary>Limits in the guest.</summary>
    public ResourceLimits Resources { get; init; } = new();

    /// <summary>-1000 to 1000.</summary>
    public int OomScoreAdjust { get; init; }

    /// <summary>Signal to stop with, 1 to 64, or 0 for the image's own.</summary>
    public int StopSignal { get; init; }
}

/// <summary>One mount of a container. Either a host path or an image.</summary>
internal sealed record ContainerMount
{
    /// <summary>Absolute path in the container.</summary>
    public required string ContainerPath { get; init; }

    /// <summary>Absolute path on the host, or empty when an image is mounted.</summary>
    public string HostPath { get; init; } = "";

    /// <summary>The container cannot write; what else the host has mounted below the path stays writable.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Nor can it write to what else is mounted below.</summary>
    public bool RecursiveReadOnly { get; init; }

    /// <summary>Whether it sees what the host mounts below the path later on.</summary>
    public bool FollowsHost { get; init; }

    /// <summary>A new label was asked for; without SELinux in the guest there is none to give.</summary>
    public bool SelinuxRelabel { get; init; }

    /// <summary>Whose files the host's are: the pod's user namespace, or null for the host's own owners.</summary>
    public GuestUserNamespace? IdMap { get; init; }

    /// <summary>Image reference or id, or empty when a host path is mounted.</summary>
    public string Image { get; init; } = "";

    /// <summary>The image's id once it was found, or empty.</summary>
    public string ImageId { get; init; } = "";

    /// <summary>Path below the image's root.</summary>
    public string ImageSubPath { get; init; } = "";
}

/// <summary>One device of a container.</summary>
/// <param name="HostPath">As it was asked for: one of <see cref="GuestDeviceList"/>, or a path that leads to a block device of the host.</param>
/// <param name="ContainerPath">Absolute path in the container.</param>
/// <param name="Access">Of <c>r</c>, <c>w</c> and <c>m</c>.</param>
internal sealed record ContainerDevice(string HostPath, string ContainerPath, string Access)
{
    /// <summary>The host's block device, once it was found; null for a device that every guest has.</summary>
    public HostBlockDevice? Device { get; init; }

    /// <summary>Nothing can be written to it.</summary>
    public bool ReadOnly => !Access.Contains('w', StringComparison.Ordinal);

    /// <summary>Serial of the disk it is in the machine: one for each block device and access, whatever path it was asked for by; null for a device that every guest has.</summary>
    public string? DiskSerial => Device is { } device
        ? string.Create(CultureInfo.InvariantCulture, $"dev-{device.Major}-{device.Minor}{(ReadOnly ? "-ro" : "")}")
        : null;

    /// <summary>What the guest is told.</summary>
    public DeviceSpec ToSpec() => new(Device is null ? HostPath : "", ContainerPath, Access, DiskSerial);
}

/// <summary>Who a container's processes run as and what they may do.</summary>
internal sealed record ContainerSecurity
{
    /// <summary><c>name</c>, <c>uid</c> or <c>uid:gid</c>; empty for the image's own user.</summary>
    public string User { get; init; } = "";

    /// <summary>The user was given as a name that the image's passwd must have, even if it looks like a number.</summary>
    public bool UserIsName { get; init; }

    /// <summary>More groups.</summary>
    public IReadOnlyList<uint> SupplementalGroups { get; init; } = [];

    /// <summary>Groups of the image's /etc/group are left out.</summary>
    public bool StrictSupplementalGroups { get; init; }

    /// <summary>All capabilities, all guest devices, nothing hidden, no seccomp.</summary>
    public bool Privileged { get; init; }

    /// <summary>Capabilities added to the default set, with or without CAP_; ALL for every one.</summary>
    public IReadOnlyList<string> AddCapabilities { get; init; } = [];

    /// <summary>Capabilities taken from the default set; ALL for every one. Read before Add.</summary>
    public IReadOnlyList<string> DropCapabilities { get; init; } = [];

    /// <summary>Capabilities that are also ambient.</summary>
    public IReadOnlyList<string> AmbientCapabilities { get; init; } = [];

    /// <summary>The root file system is read-only.</summary>
    public bool ReadOnlyRoot { get; init; }

    /// <summary>Sets PR_SET_NO_NEW_PRIVS.</summary>
    public bool NoNewPrivileges { get; init; }

    /// <summary>Hidden paths; empty for the usual ones.</summary>
    public IReadOnlyList<string> MaskedPaths { get; init; } = [];

    /// <summary>Paths that cannot be written; empty for the usual ones.</summary>
    public IReadOnlyList<string> ReadOnlyPaths { get; init; } = [];

    /// <summary>Which seccomp profile.</summary>
    public SeccompChoice Seccomp { get; init; } = SeccompChoice.Unconfined;

    /// <summary>Host path of an OCI <c>linux.seccomp</c> object, for <see cref="SeccompChoice.Localhost"/>.</summary>
    public string SeccompPath { get; init; } = "";

    /// <summary>Whose PID namespace is used.</summary>
    public PidNamespace PidNamespace { get; init; } = PidNamespace.Container;

    /// <summary>The container whose PID namespace is joined, for <see cref="PidNamespace.Target"/>.</summary>
    public string PidTarget { get; init; } = "";

    /// <summary>An IPC namespace of its own.</summary>
    public bool PrivateIpc { get; init; }

    /// <summary>A network namespace of its own, with loopback alone.</summary>
    public bool PrivateNetwork { get; init; }

    /// <summary>The user namespace it was asked to be in, which can only be the pod's; null for the guest's.</summary>
    public GuestUserNamespace? UserNamespace { get; init; }

    /// <summary><see cref="UserNamespace"/> was said; otherwise it is the pod's, whatever that is.</summary>
    public bool SaysUserNamespace { get; init; }
}

/// <summary>Which seccomp profile a container gets.</summary>
internal enum SeccompChoice
{
    /// <summary>None.</summary>
    Unconfined = 0,

    /// <summary>Ours.</summary>
    RuntimeDefault = 1,

    /// <summary>A file on the host.</summary>
    Localhost = 2,
}
