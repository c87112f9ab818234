using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>How the guest's kernel shares out its CPU.</summary>
internal static unsafe class Scheduler
{
    /// <summary>Lets a new thread run before the one that started it.</summary>
    /// <remarks>
    /// The kernel otherwise puts a new thread one slice behind its maker, and the runtime waits for the new thread by yielding: with one
    /// CPU every thread start burns 2 ms. Kernels from 6.6 on do without this switch and without the wait; a missing file is fine.
    /// </remarks>
    internal static void RunNewThreadsFirst()
    {
        int fd = Libc.Open("/proc/sys/kernel/sched_child_runs_first", Constants.OpenWriteOnly | Constants.OpenCloseOnExec, 0);
        if (fd >= 0)
        {
            byte one = (byte)'1';
            _ = Libc.Write(fd, &one, 1);
            _ = Libc.Close(fd);
        }
    }
}
