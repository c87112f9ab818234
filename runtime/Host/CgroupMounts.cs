namespace Vks.Runtime.Host;

/// <summary>Where this host's control groups are.</summary>
/// <param name="IsUnified">cgroup v2 alone; else one hierarchy per controller (v1).</param>
/// <param name="Roots">Folder below which groups may be made, per controller; one entry named <c>unified</c> on v2.</param>
internal sealed record CgroupMounts(bool IsUnified, IReadOnlyList<(string Controller, string Folder)> Roots)
{
    private const string Top = "/sys/fs/cgroup";

    /// <summary>The controllers in use.</summary>
    internal static IReadOnlyList<string> Controllers { get; } = ["memory", "cpu", "cpuacct", "pids"];

    /// <summary>Reads the present mounts.</summary>
    internal static CgroupMounts Read()
    {
        if (File.Exists($"{Top}/cgroup.controllers"))
        {
            return new CgroupMounts(true, [("unified", Top)]);
        }

        return File.Exists("/proc/self/mountinfo")
            ? new CgroupMounts(false, ParseV1(File.ReadAllLines("/proc/self/mountinfo"), File.ReadAllLines("/proc/self/cgroup")))
            : new CgroupMounts(false, []);
    }

    /// <summary>The v1 hierarchies in mountinfo (proc(5)), each with the daemon's own group below it.</summary>
    internal static IReadOnlyList<(string Controller, string Folder)> ParseV1(IEnumerable<string> mountinfo, IEnumerable<string> ownGroups)
    {
        // "id:controllers:/path"
        Dictionary<string, string> own = ownGroups.Select(line => line.Split(':', 3)).Where(parts => parts.Length == 3)
            .SelectMany(parts => parts[1].Split(',').Select(name => (name, parts[2]))).ToDictionary(pair => pair.name, pair => pair.Item2);
        List<(string, string)> roots = [];
        HashSet<string> folders = [];
        foreach (string line in mountinfo)
        {
            // "… mountpoint options [optional fields] - type source super-options"
            string[] halves = line.Split(" - ", 2);
            string[] after = halves.Length == 2 ? halves[1].Split(' ') : [];
            if (after is not ["cgroup", _, var options])
            {
                continue;
            }

            string[] before = halves[0].Split(' ');
            (string mountedRoot, string mountPoint) = (before[3], before[4]);
            string[] names = options.Split(',');
            if (Controllers.FirstOrDefault(names.Contains) is { } controller && folders.Add(mountPoint))
            {
                roots.Add((controller, Path.Join(mountPoint, Below(mountedRoot, own.GetValueOrDefault(controller, "/")))));
            }
        }

        return roots;
    }

    // Inside a container the mount may show only a part of the tree while /proc/self/cgroup names the whole path.
    private static string Below(string mountedRoot, string path) =>
        mountedRoot == "/" ? path.TrimEnd('/')
        : path == mountedRoot || path.StartsWith(mountedRoot + "/", StringComparison.Ordinal) ? path[mountedRoot.Length..]
        : "";
}
