namespace Vks.Spherelet.Streaming;

/// <summary>Fires once nothing has happened for a time.</summary>
internal sealed class IdleWatch : IDisposable
{
    private readonly CancellationTokenSource _idle;
    private readonly TimeSpan _limit;

    /// <param name="limit">The time.</param>
    /// <param name="time">Its clock.</param>
    public IdleWatch(TimeSpan limit, TimeProvider time)
    {
        _limit = limit;
        _idle = new CancellationTokenSource(limit, time);
        Token = _idle.Token;
    }

    /// <summary>Fires when the time is up.</summary>
    public CancellationToken Token { get; }

    /// <summary>Something has happened: the time begins anew.</summary>
    public void Touch()
    {
        try
        {
            _idle.CancelAfter(_limit);
        }
        catch (ObjectDisposedException)
        {
            // The session has ended in this moment.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _idle.Dispose();
}
