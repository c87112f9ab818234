using System.Globalization;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>A control group, on cgroup v2 or as one group per controller on v1 (memory, cpu, cpuacct, pids).</summary>
/// <remarks>
/// On v2 it stands at the top (<c>/vks/NAME</c>), since a group with processes of its own, like the daemon's, may not have children with controllers.
/// On v1 it stands below the daemon's own group, so that the daemon's limits hold for its children too.
/// </remarks>
internal sealed class Cgroup
{
    /// <summary>The weight of a group that was given none, on the scale of cgroup v1.</summary>
    internal const long UsualShares = 1024;

    /// <summary>The weight of what nobody waits for, on the same scale: it goes on beside busy neighbours, and takes them next to nothing.</summary>
    internal const long SpareShares = 64;

    // Daemons of one process (tests) share the parent; it must not go between another's making of parent and child.
    private static readonly Lock TreeLock = new();

    private readonly List<string> _folders = [];
    private readonly List<string> _missing = [];

    private Cgroup()
    {
    }

    /// <summary>The folders that make up the group; empty when this host lets us make none.</summary>
    internal IReadOnlyList<string> Folders => _folders;

    /// <summary>Controllers or limits that could not be had, each with the reason; empty when all is in force.</summary>
    internal IReadOnlyList<string> Missing => _missing;

    /// <summary>Makes the group and sets its limits. What the host does not allow is reported in <see cref="Missing"/>, not thrown.</summary>
    internal static Cgroup Create(CgroupSettings settings)
    {
        Cgroup group = new();
        CgroupMounts mounts = CgroupMounts.Read();
        lock (TreeLock)
        {
            foreach ((string controller, string root) in mounts.Roots)
            {
                string parent = Path.Combine(root, settings.Parent);
                group.Try(controller, () =>
                {
                    Directory.CreateDirectory(parent);
                    if (mounts.IsUnified)
                    {
                        group.EnableControllers(root);
                        group.EnableControllers(parent);
                    }

                    group.WeighAsCpus(parent);
                    string folder = Path.Combine(parent, settings.Name);
                    Directory.CreateDirectory(folder);
                    group._folders.Add(folder);
                });
            }
        }

        if (settings.MemoryBytes is { } bytes)
        {
            group.Limit(mounts.IsUnified ? "memory.max" : "memory.limit_in_bytes", bytes);
        }

        if (settings.PidsMax is { } pids)
        {
            group.Limit("pids.max", pids);
        }

        return group;
    }

    /// <summary>The group made earlier under that name, to remove it (adoption after a restart). Folders that do not exist are left out.</summary>
    internal static Cgroup Find(string parent, string name)
    {
        Cgroup group = new();
        group._folders.AddRange(CgroupMounts.Read().Roots.Select(root => Path.Combine(root.Folder, parent, name)).Where(Directory.Exists));
        return group;
    }

    /// <summary>Sets the group's weight against its neighbours when CPUs are scarce.</summary>
    /// <param name="shares">On the scale of cgroup v1, 2 to 262144.</param>
    /// <returns>Null when it is in force, else why not.</returns>
    internal string? SetCpuShares(long shares)
    {
        shares = Math.Clamp(shares, 2, 262_144);
        foreach (string folder in _folders)
        {
            // cpu.weight of v2 is 1 to 10000.
            foreach ((string file, long value) in (ReadOnlySpan<(string, long)>)[("cpu.shares", shares), ("cpu.weight", 1 + ((shares - 2) * 9999 / 262_142))])
            {
                string path = Path.Combine(folder, file);
                if (File.Exists(path))
                {
                    try
                    {
                        File.WriteAllText(path, value.ToString(CultureInfo.InvariantCulture));
                        return null;
                    }
                    catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                    {
                        return $"{path}: {exception.Message}";
                    }
                }
            }
        }

        return "this host lets the daemon make no control group with CPU shares";
    }

    /// <summary>Moves a process in, as far as the group exists.</summary>
    internal void Add(int pid)
    {
        foreach (string folder in _folders)
        {
            Try(folder, () => File.WriteAllText(Path.Combine(folder, "cgroup.procs"), pid.ToString(CultureInfo.InvariantCulture)));
        }
    }

    /// <summary>Removes the group's folders. Call after its processes have ended; absent folders are no error.</summary>
    /// <exception cref="HostException"><c>EBUSY</c>: a process is still inside.</exception>
    internal async Task RemoveAsync(CancellationToken cancellationToken)
    {
        const int Tries = 50;
        foreach (string folder in _folders)
        {
            // A process that has just ended leaves its group a moment later, and v1 tells nobody when: hence the tries, 1 s in all.
            int errno;
            for (int i = 1; (errno = RemoveFolder(folder)) == LibC.EBUSY && i < Tries; i++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
            }

            if (errno != 0 && errno != LibC.ENOENT)
            {
                throw new HostException("rmdir", folder, errno, "see its cgroup.procs for the processes still inside");
            }

            lock (TreeLock)
            {
                _ = RemoveFolder(Path.GetDirectoryName(folder)!); // Goes with the last child; until then ENOTEMPTY or EBUSY.
            }
        }
    }

    private static unsafe int RemoveFolder(string folder)
    {
        fixed (byte* name = Native.ZeroTerminated(folder))
        {
            return LibC.rmdir(name) == 0 ? 0 : LibC.errno;
        }
    }

    private void EnableControllers(string folder)
    {
        foreach (string controller in CgroupMounts.Controllers.Where(name => name != "cpuacct"))
        {
            Try(controller, () => File.WriteAllText(Path.Combine(folder, "cgroup.subtree_control"), "+" + controller));
        }
    }

    /// <summary>
    /// Gives the folder the weight of all the host's CPUs, as kubelets weigh their pods. With the default weight all machines together
    /// count as one process of the host: beside 30 busy ones a guest got 1 % of a CPU, and its boot was given up.
    /// </summary>
    private void WeighAsCpus(string folder)
    {
        const int SharesOfCpu = 1024, MaxShares = 262_144; // cgroup v1
        const int WeightOfCpu = 100, MaxWeight = 10_000; // cgroup v2
        int cpus = Environment.ProcessorCount;
        foreach ((string file, int value) in (ReadOnlySpan<(string, int)>)
            [("cpu.shares", Math.Min(SharesOfCpu * cpus, MaxShares)), ("cpu.weight", Math.Min(WeightOfCpu * cpus, MaxWeight))])
        {
            string path = Path.Combine(folder, file);
            if (File.Exists(path))
            {
                Try(file, () => File.WriteAllText(path, value.ToString(CultureInfo.InvariantCulture)));
            }
        }
    }

    private void Limit(string file, long value)
    {
        // On v1 each folder has the files of its controller only.
        string? path = _folders.Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
        if (path is null)
        {
            _missing.Add($"{file}: no such limit on this host");
            return;
        }

        Try(file, () => File.WriteAllText(path, value.ToString(CultureInfo.InvariantCulture)));
    }

    private void Try(string what, Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _missing.Add($"{what}: {exception.Message}");
        }
    }
}
