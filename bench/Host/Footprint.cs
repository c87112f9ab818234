namespace Vks.Bench.Host;

/// <summary>What an arm has on the host at one moment, by kind. The difference of two is what was left in between.</summary>
/// <param name="Things">Names of what is there, by kind: process, netns, mount, socket, cgroup, file, link.</param>
/// <param name="Descriptors">Files the daemon has open.</param>
internal sealed record Footprint(IReadOnlyDictionary<string, IReadOnlyList<string>> Things, int Descriptors)
{
    /// <summary>Connections and pools breathe; more than this is a leak.</summary>
    private const int DescriptorAllowance = 8;

    /// <summary>Looks.</summary>
    public static Footprint Take(FootprintScope scope)
    {
        HashSet<string> namespaces = [.. scope.NetnsNames];
        Dictionary<string, IReadOnlyList<string>> things = new(StringComparer.Ordinal)
        {
            ["process"] = [.. ProcessTable.Read().Entries(process => process.Pid != scope.DaemonPid
                && (process.ParentPid == scope.DaemonPid || process.CommandLine.Contains(scope.CommandMark, StringComparison.Ordinal))).Select(static process => $"{process.Pid} {process.CommandLine}")],
            ["netns"] = [.. Names("/run/netns").Where(namespaces.Contains)],
            ["mount"] = [.. File.ReadLines("/proc/self/mountinfo").Select(static line => line.Split(' ')[4])
                .Where(path => path.StartsWith(scope.PathMark, StringComparison.Ordinal) || (path.StartsWith("/run/netns/", StringComparison.Ordinal) && namespaces.Contains(Path.GetFileName(path))))],
            ["socket"] = [.. File.ReadLines("/proc/net/unix").Select(static line => line.Split(' ')[^1]).Where(path => path.StartsWith(scope.SocketMark, StringComparison.Ordinal)).Distinct()],
            ["cgroup"] = [.. Cgroups(scope.PodIds)],
            ["file"] = [.. scope.FileFolders.Where(Directory.Exists).SelectMany(static folder => Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories))],
            ["link"] = [.. Names("/sys/class/net").Where(link => Path.GetFileName(new FileInfo($"/sys/class/net/{link}/master").LinkTarget) == scope.Bridge)],
        };
        return new Footprint(things, Directory.Exists($"/proc/{scope.DaemonPid}/fd") ? Directory.EnumerateFileSystemEntries($"/proc/{scope.DaemonPid}/fd").Count() : 0);
    }

    /// <summary>What is in <paramref name="after"/> and not here, in words; empty when nothing was left.</summary>
    public IReadOnlyList<string> Differences(Footprint after)
    {
        List<string> found = [];
        foreach ((string kind, IReadOnlyList<string> things) in after.Things)
        {
            found.AddRange(things.Except(Things[kind], StringComparer.Ordinal).Select(thing => $"{kind} left: {thing}"));
        }

        if (after.Descriptors > Descriptors + DescriptorAllowance)
        {
            found.Add($"descriptors of the daemon grew from {Descriptors} to {after.Descriptors}");
        }

        return found;
    }

    /// <summary>Looks until nothing is left that was not there before, at most 10 s: what the kernel frees late may take a moment.</summary>
    /// <param name="take">Looks once.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    public async Task<IReadOnlyList<string>> SettleAsync(Func<Footprint> take, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> left = Differences(take());
        for (int tries = 0; tries < 50 && left.Count > 0; tries++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken);
            left = Differences(take());
        }

        return left;
    }

    private static IEnumerable<string> Cgroups(IReadOnlySet<string> podIds) => !Directory.Exists("/sys/fs/cgroup")
        ? []
        : Directory.EnumerateDirectories("/sys/fs/cgroup", "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 5, IgnoreInaccessible = true })
            .Where(folder => podIds.Contains(Path.GetFileName(folder)));

    private static IEnumerable<string> Names(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder).Select(static path => Path.GetFileName(path)) : [];
}

/// <summary>How an arm's things are told from everybody else's.</summary>
internal sealed record FootprintScope
{
    /// <summary>The daemon, itself not counted.</summary>
    public required int DaemonPid { get; init; }

    /// <summary>Every pod it has had.</summary>
    public required IReadOnlySet<string> PodIds { get; init; }

    /// <summary>The bridge that its links hang on.</summary>
    public required string Bridge { get; init; }

    /// <summary>A text in the command lines of its processes.</summary>
    public required string CommandMark { get; init; }

    /// <summary>Its network namespaces.</summary>
    public required IReadOnlyList<string> NetnsNames { get; init; }

    /// <summary>How paths of its mounts begin.</summary>
    public required string PathMark { get; init; }

    /// <summary>How paths of its pods' sockets begin.</summary>
    public required string SocketMark { get; init; }

    /// <summary>Folders that are empty without pods.</summary>
    public required IReadOnlyList<string> FileFolders { get; init; }
}
