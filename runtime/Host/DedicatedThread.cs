using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Runs work on a thread of its own that ends afterwards: namespaces, identity and flags it takes on touch no other thread.</summary>
internal static class DedicatedThread
{
    // A thread that a thread makes is in its namespaces, has its identity and its filters. Completing a task may make a thread of the pool, so
    // no thread of ours completes one: this one does.
    private static readonly Lazy<BlockingCollection<Action>> s_done = new(StartCompleter);

    /// <summary>Runs the work and completes with its result, never on that thread.</summary>
    internal static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        BlockingCollection<Action> completer = s_done.Value;
        Thread thread = new(() =>
        {
            try
            {
                T result = work();
                completer.Add(() => done.SetResult(result));
            }
            catch (Exception exception)
            {
                completer.Add(() => done.SetException(exception));
            }
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return done.Task;
    }

    private static BlockingCollection<Action> StartCompleter()
    {
        BlockingCollection<Action> queue = [];
        new Thread(() =>
        {
            foreach (Action complete in queue.GetConsumingEnumerable())
            {
                complete();
            }
        })
        {
            IsBackground = true,
            Name = "vks-completer",
        }.Start();
        return queue;
    }

    /// <summary>Moves the calling thread into a network namespace (setns(2)). Only for threads of this class.</summary>
    internal static void EnterNetns(string netnsPath)
    {
        using var netns = Native.Open(netnsPath, LibC.O_RDONLY, "create the network namespace first");
        Native.Check(LibC.setns((int)netns.DangerousGetHandle(), LibC.CLONE_NEWNET), "setns", netnsPath);
    }

    /// <summary>Moves the calling thread to where a process sees its files: its mount namespace and its root. Only for threads of this class.</summary>
    /// <exception cref="HostException">ENOENT: there is no such process.</exception>
    internal static void EnterMountsOf(int pid)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/ns/mnt");
        using SafeFileHandle mounts = Native.Open(path, LibC.O_RDONLY, "the process must run");

        // A thread that shares its root and working directory with others cannot leave their mount namespace (setns(2)).
        Native.Check(LibC.unshare(LibC.CLONE_FS), "unshare(CLONE_FS)", path);
        Native.Check(LibC.setns((int)mounts.DangerousGetHandle(), LibC.CLONE_NEWNS), "setns", path);
    }
}
