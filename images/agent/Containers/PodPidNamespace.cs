using Vks.Agent.Host;

namespace Vks.Agent.Containers;

/// <summary>The PID namespace that the pod's containers share, held by a process that does nothing but reap.</summary>
internal sealed class PodPidNamespace(Reaper reaper)
{
    /// <summary>What becomes the holder, with <see cref="HolderVerb"/>: a program of two pages, not another agent.</summary>
    internal const string HolderProgram = Entry.Program;

    /// <summary>The argument by which it becomes the holder.</summary>
    internal const string HolderVerb = "hold-pid-namespace";

    private readonly Lock _lock = new();
    private Task<int>? _holder;

    /// <summary>Gives the namespace's file, starting the holder first if it does not run.</summary>
    internal async Task<string> PathAsync()
    {
        Task<int> holder;
        lock (_lock)
        {
            holder = _holder ??= StartAsync();
        }

        return $"/proc/{await holder}/ns/pid";
    }

    /// <summary>unshare(CLONE_NEWPID) holds for the children of one thread, so the thread lives for this only.</summary>
    private Task<int> StartAsync()
    {
        reaper.Start();
        var started = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(
            () =>
            {
                try
                {
                    started.SetResult(StartHolder());
                }
                catch (Exception exception)
                {
                    started.SetException(exception);
                }
            },
            128 * 1024) { IsBackground = true, Name = "pid-namespace" };
        thread.Start();
        return started.Task;
    }

    /// <summary>While its children would be in another namespace, a thread can start processes but no threads, clone(2): what happens then is little.</summary>
    private int StartHolder()
    {
        int nothing = Descriptors.Null();
        int own = Descriptors.Open("/proc/self/ns/pid", Constants.OpenReadOnly);
        try
        {
            if (Libc.Unshare(Constants.CloneNewPid) != 0)
            {
                throw SystemError.Last("Making the pod's PID namespace");
            }

            try
            {
                return reaper.Spawn(() => ChildProcess.Spawn(HolderProgram, ["vks-pod", HolderVerb], nothing, nothing, nothing)).Pid;
            }
            finally
            {
                _ = Libc.SetNamespace(own, Constants.CloneNewPid);
            }
        }
        finally
        {
            Descriptors.Close(own, nothing);
        }
    }
}
