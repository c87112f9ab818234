using System.Threading.Channels;

namespace Vks.Spherelet.Pods;

/// <summary>Tells whoever listens what happens to pods and containers, as it happens.</summary>
internal sealed class PodEvents(PodTable table, TimeProvider time)
{
    /// <summary>How far a listener may fall behind until it is cut off; it then has to look at everything anew.</summary>
    public const int MostWaiting = 4096;

    private readonly Lock _lock = new();
    private readonly List<ChannelWriter<PodEvent>> _listeners = [];

    /// <summary>Tells an event. Never waits.</summary>
    /// <param name="kind">What happened.</param>
    /// <param name="id">The container, or the pod when it happened to that.</param>
    /// <param name="sandbox">The pod it happened in.</param>
    public void Publish(PodEventKind kind, string id, PodSandbox sandbox)
    {
        lock (_lock)
        {
            if (_listeners.Count == 0)
            {
                return;
            }

            var happened = new PodEvent(
                kind, id, UnixTime.Nanoseconds(time.GetUtcNow()), sandbox, [.. table.ContainersOf(sandbox.Id).Select(container => container.Record)]);
            foreach (ChannelWriter<PodEvent> slow in _listeners.FindAll(listener => !listener.TryWrite(happened)))
            {
                _listeners.Remove(slow);
                slow.TryComplete(new PodException(
                    PodFault.Overrun, id, $"The listener has not read the last {MostWaiting} events and is cut off; list pods and containers, then listen again."));
            }
        }
    }

    /// <summary>Listens until the token ends.</summary>
    /// <exception cref="PodException"><see cref="PodFault.Overrun"/>: events came faster than they were read.</exception>
    public async IAsyncEnumerable<PodEvent> ListenAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<PodEvent>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
        lock (_lock)
        {
            _listeners.Add(channel.Writer);
        }

        try
        {
            await foreach (PodEvent happened in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return happened;
            }
        }
        finally
        {
            lock (_lock)
            {
                _listeners.Remove(channel.Writer);
            }
        }
    }
}

/// <summary>One event.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Id">The container, or the pod when it happened to that.</param>
/// <param name="UnixNanoseconds">When.</param>
/// <param name="Sandbox">The pod it happened in.</param>
/// <param name="Containers">The pod's containers right after it, oldest first.</param>
internal sealed record PodEvent(
    PodEventKind Kind, string Id, long UnixNanoseconds, PodSandbox Sandbox, IReadOnlyList<ContainerRecord> Containers);

/// <summary>What can happen to a pod or a container.</summary>
internal enum PodEventKind
{
    /// <summary>It was made.</summary>
    Created = 0,

    /// <summary>It runs.</summary>
    Started = 1,

    /// <summary>It has ended, by itself or not.</summary>
    Stopped = 2,

    /// <summary>It was removed.</summary>
    Deleted = 3,
}
