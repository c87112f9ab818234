using Vks.Agent.Host;

namespace Vks.Agent.Containers;

/// <summary>Tells once that the kernel has killed a process of a cgroup for want of memory, when it happens.</summary>
internal static class OutOfMemoryWatch
{
    /// <summary>Opens what announces the changes of a cgroup's memory.events; null when the cgroup is gone.</summary>
    /// <remarks>The file counts the kills of the cgroups below too (cgroup v2), so those of execs are announced here.</remarks>
    internal static AsyncFd? Open(ContainerCgroup cgroup)
    {
        int fd = Libc.Open(Path.Combine(cgroup.Folder, "memory.events"), Constants.OpenReadOnly | Constants.OpenCloseOnExec, 0);
        return fd < 0 ? null : new AsyncFd(fd);
    }

    /// <summary>Watches until it happened or the token fires; releases the descriptor.</summary>
    /// <param name="announcements">Has an edge at each change.</param>
    /// <param name="happened">Whether it happened by now.</param>
    /// <param name="report">Called at most once.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    internal static async Task RunAsync(AsyncFd announcements, Func<bool> happened, Action report, CancellationToken cancellationToken)
    {
        await using (announcements)
        {
            while (!happened())
            {
                try
                {
                    await announcements.WaitReadableAsync(cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }

            report();
        }
    }
}
