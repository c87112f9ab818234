namespace Vks.Agent.Host;

/// <summary>"Something changed": take <see cref="Next"/>, try the call, await it when the call would block.</summary>
internal sealed class Readiness : IWatched
{
    // Continuations run on the loop's thread: they only move bytes, and a hop to the pool costs more than they do.
    private TaskCompletionSource _next = new();

    /// <summary>Completes at the next change after this property was read, so none is missed.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    /// <inheritdoc/>
    public void OnEvents(uint events) => Pulse();

    /// <summary>Wakes all who wait.</summary>
    public void Pulse() => Interlocked.Exchange(ref _next, new TaskCompletionSource()).TrySetResult();
}
