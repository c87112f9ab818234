namespace Vks.Runtime.Host;

/// <summary>A control group, on cgroup v2 or as one group per controller on v1 (memory, cpu, cpuacct, pids).</summary>
internal sealed class Cgroup
{
    /// <summary>The folders that make up the group; empty when this host lets us make none.</summary>
    internal IReadOnlyList<string> Folders => throw new NotSupportedException();

    /// <summary>Controllers or limits that could not be had, each with the reason; empty when all is in force.</summary>
    internal IReadOnlyList<string> Missing => throw new NotSupportedException();

    /// <summary>Makes the group and sets its limits. What the host does not allow is reported in <see cref="Missing"/>, not thrown.</summary>
    internal static Cgroup Create(CgroupSettings settings) => throw new NotSupportedException();

    /// <summary>The group made earlier under that name, to remove it (adoption after a restart). Folders that do not exist are left out.</summary>
    internal static Cgroup Find(string parent, string name) => throw new NotSupportedException();

    /// <summary>Moves a process in.</summary>
    internal void Add(int pid) => throw new NotSupportedException();

    /// <summary>Removes the group's folders. Call after its processes have ended; absent folders are no error.</summary>
    /// <exception cref="HostException"><c>EBUSY</c>: a process is still inside.</exception>
    internal Task RemoveAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
