namespace Vks.Agent.Host;

/// <summary>An event that one waiter at a time awaits; it stays set until the next wait, so that none is missed.</summary>
/// <remarks>
/// A wait may end without news: a wait that was given up must not take an event with it, so an event that woke one is kept for the
/// next, too. Waiters look for themselves after each wait and wait again.
/// </remarks>
internal sealed class AsyncSignal
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _waiter;
    private bool _set;

    /// <summary>Wakes the waiter, and lets the next wait pass.</summary>
    internal void Set()
    {
        TaskCompletionSource? waiter;
        lock (_lock)
        {
            (waiter, _waiter) = (_waiter, null);
            _set = true;
        }

        waiter?.TrySetResult();
    }

    /// <summary>Waits until <see cref="Set"/>.</summary>
    internal Task WaitAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource waiter;
        lock (_lock)
        {
            if (_set)
            {
                _set = false;
                return Task.CompletedTask;
            }

            waiter = _waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return waiter.Task.WaitAsync(cancellationToken);
    }
}
