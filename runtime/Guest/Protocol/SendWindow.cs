namespace Vks.Runtime.Guest.Protocol;

/// <summary>The sender's side of a stream's flow control: how much may still be sent.</summary>
internal sealed class SendWindow
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _waiter;
    private int _credit = ProtocolLimits.InitialWindowBytes;
    private long _acknowledged;
    private bool _closed;

    /// <summary>Bytes the receiver has consumed so far.</summary>
    public long AcknowledgedBytes => Interlocked.Read(ref _acknowledged);

    /// <summary>Waits until something may be sent.</summary>
    /// <param name="wanted">Bytes the caller has, at least 1.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>1 to <paramref name="wanted"/>, or 0 when the window was closed.</returns>
    public async ValueTask<int> TakeAsync(int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task change;
            lock (_gate)
            {
                if (_closed)
                {
                    return 0;
                }

                if (_credit > 0)
                {
                    int granted = Math.Min(wanted, _credit);
                    _credit -= granted;
                    return granted;
                }

                _waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                change = _waiter.Task;
            }

            await change.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The receiver consumed bytes.</summary>
    /// <returns>False: more than was ever sent, the peer breaks the rules.</returns>
    public bool TryAdd(uint bytes)
    {
        TaskCompletionSource? waiter;
        lock (_gate)
        {
            if (bytes > ProtocolLimits.InitialWindowBytes - _credit)
            {
                return false;
            }

            _credit += (int)bytes;
            Interlocked.Add(ref _acknowledged, bytes);
            (waiter, _waiter) = (_waiter, null);
        }

        waiter?.TrySetResult();
        return true;
    }

    /// <summary>Nothing may be sent any more; waiting senders get 0.</summary>
    public void Close()
    {
        TaskCompletionSource? waiter;
        lock (_gate)
        {
            _closed = true;
            (waiter, _waiter) = (_waiter, null);
        }

        waiter?.TrySetResult();
    }
}
