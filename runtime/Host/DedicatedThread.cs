using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Runs work on a thread of its own that ends afterwards: namespaces, identity and flags it takes on touch no other thread.</summary>
internal static class DedicatedThread
{
    /// <summary>Runs the work and completes with its result, never on that thread.</summary>
    internal static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception exception)
            {
                done.SetException(exception);
            }
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return done.Task;
    }

    /// <summary>Moves the calling thread into a network namespace (setns(2)). Only for threads of this class.</summary>
    internal static void EnterNetns(string netnsPath)
    {
        using var netns = Native.Open(netnsPath, LibC.O_RDONLY, "create the network namespace first");
        Native.Check(LibC.setns((int)netns.DangerousGetHandle(), LibC.CLONE_NEWNET), "setns", netnsPath);
    }
}
