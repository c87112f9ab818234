using System.Globalization;

namespace Vks.Agent.Containers;

/// <summary>Turns an OCI process into the arguments of <c>enter</c>, as images/enter/enter.c has them. Pure.</summary>
internal static class EntryArguments
{
    /// <summary>Resources in the order of their numbers, getrlimit(2) of x86-64.</summary>
    private static readonly string[] _limits =
    [
        "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK",
        "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
    ];

    /// <summary>The arguments, or null when the process has something that they cannot say.</summary>
    /// <param name="process">What is to run.</param>
    /// <param name="report">Descriptor for the answer.</param>
    /// <param name="container">Descriptor of the container's first process.</param>
    /// <param name="cgroup">The new process's cgroup, an absolute path of the guest.</param>
    /// <param name="filterFile">The seccomp filter's instructions, or empty.</param>
    internal static IReadOnlyList<string>? Of(OciProcess process, int report, int container, string cgroup, string filterFile)
    {
        if (process.Terminal || process.Capabilities is not { } capabilities || Limits(process.Rlimits ?? []) is not { } limits)
        {
            return null;
        }

        return
        [
            "enter",
            Number(report),
            Number(container),
            cgroup,
            Number(process.User.Uid),
            Number(process.User.Gid),
            string.Join(',', process.User.AdditionalGids.Select(static id => Number(id))),
            Set(capabilities.Bounding),
            Set(capabilities.Permitted),
            Set(capabilities.Effective),
            Set(capabilities.Inheritable),
            Set(capabilities.Ambient),
            process.NoNewPrivileges ? "1" : "0",
            Number(process.OomScoreAdj ?? 0),
            filterFile,
            process.Cwd,
            limits,
            .. process.Args,
        ];
    }

    /// <summary>A set of capabilities as a hexadecimal number; a name that Linux does not know is nothing, as for crun.</summary>
    private static string Set(IReadOnlyList<string> names)
    {
        ulong set = 0;
        foreach (string name in names)
        {
            int bit = Array.IndexOf(OciConfigWriter.AllCapabilities, name);
            set |= bit < 0 ? 0 : 1ul << bit;
        }

        return set.ToString("x", CultureInfo.InvariantCulture);
    }

    private static string? Limits(IReadOnlyList<OciRlimit> limits)
    {
        var words = new List<string>(limits.Count);
        foreach (OciRlimit limit in limits)
        {
            int number = Array.IndexOf(_limits, limit.Type);
            if (number < 0)
            {
                return null;
            }

            words.Add(string.Create(CultureInfo.InvariantCulture, $"{number}:{limit.Soft}:{limit.Hard}"));
        }

        return string.Join(',', words);
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
