using System.Text.Json;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>What the writer needs to know of the guest.</summary>
/// <param name="User">The first process's user.</param>
/// <param name="PersonalityFiles">Files bound into every container.</param>
/// <param name="MountSources">The guest's path of each of the spec's mounts, in their order.</param>
/// <param name="PidNamespacePath">Namespace file to join, or null.</param>
/// <param name="CgroupsPath">Below the cgroup root.</param>
internal sealed record BundleFacts(
    ResolvedUser User,
    IReadOnlyList<(string Source, string Destination)> PersonalityFiles,
    IReadOnlyList<string> MountSources,
    string? PidNamespacePath,
    string CgroupsPath)
{
    /// <summary>Devices beside the usual ones.</summary>
    internal IReadOnlyList<GuestDevice> Devices { get; init; } = [];

    /// <summary>What limits may speak about.</summary>
    internal required GuestHardware Hardware { get; init; }

    /// <summary>The pod's user namespace to join, or null for the guest's own.</summary>
    internal UserNamespaceHolder? UserNamespace { get; init; }
}

/// <summary>Turns a container's spec into an OCI config. Pure.</summary>
internal static class OciConfigWriter
{
    private const string DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Every capability of Linux 6.1, in the order of their numbers.</summary>
    internal static readonly string[] AllCapabilities =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
        "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
        "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ];

    /// <summary>The whole config.json.</summary>
    /// <exception cref="JsonException">The seccomp profile is not JSON.</exception>
    internal static OciConfig Write(ContainerSpec spec, BundleFacts facts) => new()
    {
        Process = Process(spec, spec.Process, facts.User),
        Root = new OciRoot("rootfs", spec.ReadOnlyRoot),
        Mounts = [.. BaseMounts(spec, facts), .. spec.Mounts.Select((mount, i) => Mount(mount, facts.MountSources[i])), .. facts.Devices.Where(device => device.BoundFrom is not null).Select(Bound)],
        Annotations = spec.Annotations.Count > 0 ? spec.Annotations : null,
        Linux = new OciLinux
        {
            Namespaces = [.. Namespaces(spec, facts)],
            UidMappings = facts.UserNamespace is { } uids ? OciIdMapping.Of(uids.Map.Uids) : null,
            GidMappings = facts.UserNamespace is { } gids ? OciIdMapping.Of(gids.Map.Gids) : null,
            CgroupsPath = facts.CgroupsPath,
            Devices = facts.Devices.Any(device => device.BoundFrom is null) ? [.. facts.Devices.Where(device => device.BoundFrom is null).Select(device => device.Node)] : null,
            Resources = Resources(spec.Resources, facts.Hardware) with { Devices = DeviceRules(spec.Privileged, facts.Devices) },
            MaskedPaths = spec.Privileged || spec.MaskedPaths.Count == 0 ? null : spec.MaskedPaths,
            ReadonlyPaths = spec.Privileged || spec.ReadOnlyPaths.Count == 0 ? null : spec.ReadOnlyPaths,
            Seccomp = spec.Privileged || spec.SeccompJson is null ? null : JsonElement.Parse(spec.SeccompJson),
        },
    };

    /// <summary>The process of the container, or of an exec that takes its user, environment and rights from it.</summary>
    internal static OciProcess Process(ContainerSpec spec, ProcessSpec process, ResolvedUser user)
    {
        IReadOnlyList<string> granted = spec.Privileged ? AllCapabilities : process.Capabilities;
        IReadOnlyList<string> ambient = process.AmbientCapabilities;
        // A user other than root keeps no effective capabilities across execve(2), save ambient ones.
        IReadOnlyList<string> effective = user.Uid == 0 ? granted : ambient;
        return new OciProcess
        {
            Terminal = process.Terminal,
            User = new OciUser(user.Uid, user.Gid, user.Groups),
            Args = process.Args,
            Env = Environment(process, user),
            Cwd = process.WorkingDirectory.Length == 0 ? "/" : process.WorkingDirectory,
            Capabilities = new OciCapabilities(granted, effective, effective, ambient, ambient),
            Rlimits = process.Rlimits.Count > 0 ? [.. process.Rlimits.Select(limit => new OciRlimit(limit.Type, limit.Hard, limit.Soft))] : null,
            NoNewPrivileges = process.NoNewPrivileges,
            OomScoreAdj = process.OomScoreAdjust,
        };
    }

    /// <summary>Limits; what is 0 or null stays unsaid, and so is what only a host has: its CPUs, its memory nodes, its sizes of huge pages.</summary>
    /// <exception cref="AgentException">InvalidRequest: huge pages of a size the guest does not have.</exception>
    internal static OciResources Resources(ResourceLimits limits, GuestHardware hardware)
    {
        string? cpus = hardware.Present(limits.CpusetCpus);
        bool cpu = limits.CpuShares > 0 || limits.CpuQuotaMicroseconds != 0 || limits.CpuPeriodMicroseconds > 0 || cpus is not null;
        // cgroup v2 counts swap apart: a swap limit without a memory limit cannot be expressed.
        return new OciResources
        {
            Memory = limits.MemoryBytes > 0
                ? new OciMemory(limits.MemoryBytes, limits.MemorySwapBytes >= limits.MemoryBytes ? limits.MemorySwapBytes : null)
                : null,
            Cpu = cpu
                ? new OciCpu(
                    limits.CpuShares > 0 ? (ulong)limits.CpuShares : null,
                    limits.CpuQuotaMicroseconds != 0 ? limits.CpuQuotaMicroseconds : null,
                    limits.CpuPeriodMicroseconds > 0 ? (ulong)limits.CpuPeriodMicroseconds : null,
                    cpus,
                    null)
                : null,
            Pids = limits.PidsLimit > 0 ? new OciPids(limits.PidsLimit) : null,
            HugepageLimits = hardware.Present(limits.HugepageLimits),
            Unified = limits.Unified.Count > 0 ? limits.Unified : null,
        };
    }

    private static List<string> Environment(ProcessSpec process, ResolvedUser user)
    {
        List<string> environment = [.. process.Env];
        AddMissing(DefaultPath);
        AddMissing("HOME=" + user.Home);
        if (process.Terminal)
        {
            AddMissing("TERM=xterm");
        }

        return environment;

        void AddMissing(string entry)
        {
            string name = entry[..(entry.IndexOf('=', StringComparison.Ordinal) + 1)];
            if (!environment.Exists(present => present.StartsWith(name, StringComparison.Ordinal)))
            {
                environment.Add(entry);
            }
        }
    }

    private static IEnumerable<OciMount> BaseMounts(ContainerSpec spec, BundleFacts facts)
    {
        string access = spec.Privileged ? "rw" : "ro";
        List<OciMount> mounts =
        [
            new("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            new("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            new("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            spec.PrivateIpc
                ? new("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"])
                : new("/dev/shm", "bind", "/dev/shm", ["rbind", "rw"]),
            // The kernel mounts these for the owner of the IPC or network namespace alone, which is not the pod's user namespace.
            facts.UserNamespace is null || spec.PrivateIpc
                ? new("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"])
                : new("/dev/mqueue", "bind", "/dev/mqueue", ["rbind", "rw"]),
            facts.UserNamespace is null || spec.PrivateNetwork
                ? new("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", access])
                : new("/sys", "bind", "/sys", ["rbind", "nosuid", "noexec", "nodev", access]),
            new("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", access]),
        ];
        foreach ((string source, string destination) in facts.PersonalityFiles)
        {
            mounts.Add(new OciMount(destination, "bind", source, ["rbind", spec.ReadOnlyRoot ? "ro" : "rw"]));
        }

        return mounts.Where(mount => !spec.Mounts.Any(own => own.Destination.TrimEnd('/') == mount.Destination));
    }

    private static OciMount Mount(MountSpec mount, string source)
    {
        if (mount.Kind == MountSource.Tmpfs)
        {
            return new OciMount(mount.Destination, "tmpfs", "tmpfs", mount.Options);
        }

        bool bind = mount.Options.Any(option => option is "bind" or "rbind");
        return new OciMount(mount.Destination, "bind", source, bind ? mount.Options : ["rbind", .. mount.Options]);
    }

    private static OciMount Bound(GuestDevice device) => new(device.Node.Path, "bind", device.BoundFrom!, ["bind", "rw"]);

    private static IEnumerable<OciNamespace> Namespaces(ContainerSpec spec, BundleFacts facts)
    {
        // Network, UTS and IPC are the guest's own: the guest is the pod.
        if (facts.UserNamespace is { } user)
        {
            yield return new OciNamespace("user", user.UserPath);
        }

        yield return new OciNamespace("mount");
        yield return new OciNamespace("cgroup");
        if (spec.PidNamespace != PidNamespace.Guest)
        {
            yield return new OciNamespace("pid", facts.PidNamespacePath);
        }

        if (spec.PrivateIpc)
        {
            yield return new OciNamespace("ipc");
        }

        if (spec.PrivateNetwork)
        {
            yield return new OciNamespace("network");
        }
    }

    private static List<OciDeviceRule> DeviceRules(bool privileged, IReadOnlyList<GuestDevice> devices) =>
        privileged
            ? [new(true, "rwm")]
            :
            [
                new(false, "rwm"),
                new(true, "m", "c"),
                new(true, "m", "b"),
                new(true, "rwm", "c", 1, 3),
                new(true, "rwm", "c", 1, 5),
                new(true, "rwm", "c", 1, 7),
                new(true, "rwm", "c", 1, 8),
                new(true, "rwm", "c", 1, 9),
                new(true, "rwm", "c", 5, 0),
                new(true, "rwm", "c", 5, 2),
                new(true, "rwm", "c", 136),
                .. devices.Select(device => new OciDeviceRule(true, device.Access, device.Node.Type, device.Node.Major, device.Node.Minor)),
            ];
}
