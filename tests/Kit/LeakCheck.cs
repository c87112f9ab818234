using System.Globalization;

namespace Vks.Tests.Kit;

/// <summary>
/// What one lab has on the host right now: processes, network namespaces, mounts, sockets, cgroups, files, and links. Two equal snapshots mean that nothing was left in between.
/// </summary>
internal sealed record LeakCheck
{
    public required IReadOnlyList<string> Processes { get; init; }

    public required IReadOnlyList<string> NetworkNamespaces { get; init; }

    public required IReadOnlyList<string> Mounts { get; init; }

    public required IReadOnlyList<string> UnixSockets { get; init; }

    public required IReadOnlyList<string> Cgroups { get; init; }

    public required IReadOnlyList<string> Files { get; init; }

    public required IReadOnlyList<string> Links { get; init; }

    /// <summary>Descriptors the daemon has open; compared with a small allowance by callers, since pools breathe.</summary>
    public required int DaemonDescriptors { get; init; }

    /// <summary>Looks at the host. What belongs to other daemons on it does not count: a thing is ours by path, by pod id or by bridge.</summary>
    /// <param name="labDirectory">Folder that all paths of the lab lie below.</param>
    /// <param name="daemonPid">The daemon, or 0.</param>
    /// <param name="podIds">Every pod id this lab ever had.</param>
    /// <param name="bridgeName">The bridge of the lab's pods.</param>
    public static LeakCheck Take(string labDirectory, int daemonPid, IReadOnlySet<string> podIds, string bridgeName)
    {
        HashSet<string> namespaces = [.. podIds.Select(id => "vks-" + id[..12])];
        return new LeakCheck
        {
            Processes = [.. ProcessesOf(labDirectory, daemonPid).Where(static process => !OfTemplate(process))],
            NetworkNamespaces = [.. Names("/run/netns").Where(namespaces.Contains)],
            Mounts = [.. File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' ')[4])
                .Where(path => path.StartsWith(labDirectory + "/", StringComparison.Ordinal)
                    || (path.StartsWith("/run/netns/", StringComparison.Ordinal) && namespaces.Contains(Path.GetFileName(path)))).Order(StringComparer.Ordinal)],
            UnixSockets = [.. File.ReadLines("/proc/net/unix").Select(line => line.Split(' ')[^1])
                .Where(path => path.StartsWith(labDirectory + "/run/machines", StringComparison.Ordinal)).Where(static path => !OfTemplate(path)).Order(StringComparer.Ordinal)],
            Cgroups = [.. AllCgroups().Where(folder => podIds.Contains(Path.GetFileName(folder)))],
            Files = [.. new[] { "root/machines", "root/pods", "root/cni/pods", "run/machines" }
                .Select(folder => Path.Combine(labDirectory, folder)).Where(Directory.Exists)
                .SelectMany(folder => Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)).Where(static path => !OfTemplate(path)).Order(StringComparer.Ordinal)],
            Links = [.. Names("/sys/class/net").Where(link => Path.GetFileName(new FileInfo($"/sys/class/net/{link}/master").LinkTarget) == bridgeName)],
            DaemonDescriptors = !Directory.Exists($"/proc/{daemonPid}/fd") ? 0 : Directory.EnumerateFileSystemEntries($"/proc/{daemonPid}/fd").Count(),
        };
    }

    // A template may be under way at any time, in the background; that nothing of one is left has tests of its own.
    private static bool OfTemplate(string text) => text.Contains("/machines/template-", StringComparison.Ordinal);

    /// <summary>Waits until nothing is there that was not there before; what the kernel frees late may take a moment.</summary>
    public static async Task<LeakCheck> SettleAsync(Func<LeakCheck> take, LeakCheck before, CancellationToken cancellationToken)
    {
        LeakCheck now = take();
        for (var tries = 0; tries < 50 && before.Differences(now).Count > 0; tries++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
            now = take();
        }

        return now;
    }

    /// <summary>What is in <paramref name="after"/> but not here, in words; empty when nothing leaked.</summary>
    public IReadOnlyList<string> Differences(LeakCheck after)
    {
        List<string> found = [];
        Compare("process", Processes, after.Processes);
        Compare("netns", NetworkNamespaces, after.NetworkNamespaces);
        Compare("mount", Mounts, after.Mounts);
        Compare("socket", UnixSockets, after.UnixSockets);
        Compare("cgroup", Cgroups, after.Cgroups);
        Compare("file", Files, after.Files);
        Compare("link", Links, after.Links);
        return found;

        void Compare(string kind, IReadOnlyList<string> was, IReadOnlyList<string> isNow) =>
            found.AddRange(isNow.Except(was).Select(thing => $"{kind} left: {thing}"));
    }

    private static List<string> ProcessesOf(string labDirectory, int daemonPid)
    {
        List<string> found = [];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int pid) || pid == daemonPid)
            {
                continue;
            }

            try
            {
                string commandLine = File.ReadAllText($"{folder}/cmdline").Replace('\0', ' ');
                bool child = daemonPid != 0
                    && File.ReadAllText($"{folder}/stat").Split(") ", 2)[^1].Split(' ')[1] == daemonPid.ToString(CultureInfo.InvariantCulture);
                if (child || commandLine.Contains(labDirectory, StringComparison.Ordinal))
                {
                    found.Add($"{pid} {commandLine}");
                }
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }

        return found;
    }

    private static List<string> Names(string folder) =>
        Directory.Exists(folder)
            ? [.. Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)]
            : [];

    private static IEnumerable<string> AllCgroups() =>
        Directory.EnumerateDirectories("/sys/fs/cgroup", "vks", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 4 })
            .SelectMany(Directory.EnumerateDirectories).Order(StringComparer.Ordinal);
}
