using System.Collections.Concurrent;
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
}
