namespace Vks.Spherelet.Images;

/// <summary>Work by key: callers with the same key at the same time share one run, which goes on for as long as one of them waits.</summary>
internal sealed class SharedWork<TKey, TResult>
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TKey, Run> _runs = [];

    /// <summary>Joins the run of that key, or starts it.</summary>
    /// <param name="key">What is to be done.</param>
    /// <param name="work">Does it; its token is cancelled when nobody waits any more.</param>
    /// <param name="cancellationToken">Ends the waiting; the last one to stop waiting ends the work and returns after its end.</param>
    public async Task<TResult> RunAsync(TKey key, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Run run;
        lock (_lock)
        {
            if (!_runs.TryGetValue(key, out Run? found))
            {
                found = new Run();
                _runs.Add(key, found);
                CancellationToken token = found.Cancellation.Token;
                found.Task = Task.Run(() => work(token), CancellationToken.None);
            }

            run = found;
            run.Waiters++;
        }

        try
        {
            return await run.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            if (Leave(key, run))
            {
                await run.Cancellation.CancelAsync();
                await run.Task.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }

            throw;
        }
        finally
        {
            if (run.Task.IsCompleted)
            {
                Forget(key, run);
            }
        }
    }

    // Out of the table before it is cancelled, so that nobody joins a dying run.
    private bool Leave(TKey key, Run run)
    {
        lock (_lock)
        {
            run.Waiters--;
            if (run.Waiters > 0)
            {
                return false;
            }

            Remove(key, run);
            return true;
        }
    }

    private void Forget(TKey key, Run run)
    {
        lock (_lock)
        {
            Remove(key, run);
        }
    }

    private void Remove(TKey key, Run run)
    {
        if (_runs.TryGetValue(key, out Run? current) && ReferenceEquals(current, run))
        {
            _runs.Remove(key);
        }
    }

    private sealed class Run
    {
        public CancellationTokenSource Cancellation { get; } = new();

        public Task<TResult> Task { get; set; } = null!;

        public int Waiters { get; set; }
    }
}
