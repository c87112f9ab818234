using System.Collections.Concurrent;

namespace Vks.Supervisor.ControlPlane;

/// <summary>One thread that starts programs and lives as long as they do.</summary>
/// <remarks>
/// PR_SET_PDEATHSIG, by which the programs of a member end with it, is sent when the <em>thread</em> ends that started the program
/// (prctl(2)); and threads of a pool end when they have had nothing to do for a while.
/// </remarks>
internal sealed class LaunchThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    /// <summary>Starts it.</summary>
    public LaunchThread()
    {
        _thread = new Thread(() =>
        {
            foreach (Action action in _work.GetConsumingEnumerable())
            {
                action();
            }
        })
        {
            Name = "launch",
            IsBackground = true,
        };
        _thread.Start();
    }

    /// <summary>Runs a function on the thread.</summary>
    /// <param name="function">Starts something; short.</param>
    public Task<T> RunAsync<T>(Func<T> function)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                done.SetResult(function());
            }
            catch (Exception problem)
            {
                done.SetException(problem);
            }
        });
        return done.Task;
    }

    /// <summary>Ends the thread. Programs that it started end with it, so theirs must have come before.</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }
}
