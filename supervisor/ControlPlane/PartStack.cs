namespace Vks.Supervisor.ControlPlane;

/// <summary>Things that run at the same time: started one upon the other, ended in the opposite order, each before the one below it.</summary>
internal sealed class PartStack : IAsyncDisposable
{
    private readonly Stack<(string Name, CancellationTokenSource Stop, Task Running)> _parts = [];
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a part has ended by itself, with the reason.</summary>
    public Task<Exception> Failed => _failed.Task;

    /// <summary>Starts one.</summary>
    /// <param name="name">What to call it in an error.</param>
    /// <param name="run">Runs until its token says stop.</param>
    public void Start(string name, Func<CancellationToken, Task> run)
    {
        CancellationTokenSource stop = new();
        _parts.Push((name, stop, WatchAsync(name, run, stop.Token)));
    }

    /// <summary>How many run.</summary>
    public int Count => _parts.Count;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await EndAsync(keep: 0);

    /// <summary>Ends those that were started last.</summary>
    /// <param name="keep">How many, from the bottom, go on.</param>
    public async Task EndAsync(int keep)
    {
        while (_parts.Count > keep && _parts.TryPop(out (string Name, CancellationTokenSource Stop, Task Running) part))
        {
            await part.Stop.CancelAsync();
            await part.Running;
            part.Stop.Dispose();
        }
    }

    private async Task WatchAsync(string name, Func<CancellationToken, Task> run, CancellationToken stop)
    {
        try
        {
            await Task.Yield();
            await run(stop);
            if (!stop.IsCancellationRequested)
            {
                _failed.TrySetResult(new InvalidOperationException($"{name} ended by itself"));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // As wished.
        }
        catch (Exception problem)
        {
            _failed.TrySetResult(problem);
        }
    }
}
