using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>What is set of the guest's kernel before anything runs on it. A switch that a kernel does not have is no fault.</summary>
internal static class KernelSwitches
{
    /// <summary>Lets a new thread run before the one that started it.</summary>
    /// <remarks>
    /// The kernel otherwise puts a new thread one slice behind its maker, and the runtime waits for the new thread by yielding: with one
    /// CPU every thread start burns 2 ms. Kernels from 6.6 on do without this switch and without the wait.
    /// </remarks>
    internal static void RunNewThreadsFirst() => Set("/proc/sys/kernel/sched_child_runs_first", (byte)'1');

    /// <summary>No compaction of memory before somebody needs a large piece of it.</summary>
    /// <remarks>The kernel otherwise wakes twice a second to see how scattered free memory is: most of what a guest with nothing to do does.</remarks>
    internal static void CompactOnDemand() => Set("/proc/sys/vm/compaction_proactiveness", (byte)'0');

    private static unsafe void Set(string path, byte digit)
    {
        int fd = Libc.Open(path, Constants.OpenWriteOnly | Constants.OpenCloseOnExec, 0);
        if (fd >= 0)
        {
            _ = Libc.Write(fd, &digit, 1);
            _ = Libc.Close(fd);
        }
    }
}
