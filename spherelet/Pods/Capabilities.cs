namespace Vks.Spherelet.Pods;

/// <summary>Linux capabilities of containers. Names are those of capabilities(7), with CAP_.</summary>
internal static class Capabilities
{
    /// <summary>What a container has when it does not ask otherwise.</summary>
    public static IReadOnlyList<string> Default { get; } =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ];

    /// <summary>All that the guest's kernel knows.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
        "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
        "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ];

    /// <summary>The set a container gets: the default one, less what is dropped, and what is added. ALL stands for every one.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a name is unknown.</exception>
    public static IReadOnlyList<string> Compute(IReadOnlyList<string> add, IReadOnlyList<string> drop, bool privileged)
    {
        if (privileged)
        {
            return All;
        }

        IEnumerable<string> kept = IsAll(drop) ? [] : Default.Except(drop.Select(Parse));
        IEnumerable<string> added = add.Where(name => !IsAllName(name)).Select(Parse);
        if (IsAll(add))
        {
            // All but the ones dropped by name; dropping ALL and adding ALL gives all.
            kept = IsAll(drop) ? All : All.Except(drop.Select(Parse));
        }

        return [.. kept.Union(added)];
    }

    /// <summary>Reads a name with or without CAP_, in any case.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: it is unknown.</exception>
    public static string Parse(string name)
    {
        string upper = name.ToUpperInvariant();
        string full = upper.StartsWith("CAP_", StringComparison.Ordinal) ? upper : "CAP_" + upper;
        return All.Contains(full)
            ? full
            : throw new PodException(PodFault.InvalidConfig, name, $"There is no capability '{name}'; see capabilities(7).");
    }

    private static bool IsAll(IReadOnlyList<string> names) => names.Any(IsAllName);

    private static bool IsAllName(string name) => name.Equals("ALL", StringComparison.OrdinalIgnoreCase) || name.Equals("CAP_ALL", StringComparison.OrdinalIgnoreCase);
}
