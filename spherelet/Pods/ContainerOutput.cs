using System.Buffers;
using System.IO.Pipelines;

namespace Vks.Spherelet.Pods;

/// <summary>Gives a container's output, as it comes, to everybody who is attached. The log does not depend on them.</summary>
/// <remarks>
/// A subscriber that does not read holds the container up, as a terminal would, but only for <see cref="StallLimit"/>: then it is cut
/// off, so that nobody can stop a container's log for ever.
/// </remarks>
internal sealed class ContainerOutput
{
    /// <summary>How long a subscriber may leave its buffer full.</summary>
    public static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly long[] _published = new long[2];
    private readonly List<OutputSubscription> _subscriptions = [];
    private bool _completed;

    /// <summary>Begins to get what is written from now on; dispose it to stop.</summary>
    public OutputSubscription Subscribe()
    {
        var subscription = new OutputSubscription(this);
        lock (_lock)
        {
            if (!_completed)
            {
                _subscriptions.Add(subscription);
                return subscription;
            }
        }

        subscription.End();
        return subscription;
    }

    /// <summary>Passes bytes on that were not passed on before. One caller for each stream at a time.</summary>
    /// <param name="isError">Standard error instead of standard output.</param>
    /// <param name="offset">Where in the stream the bytes begin.</param>
    /// <param name="bytes">They may overlap with those of earlier calls.</param>
    /// <param name="time">The clock of <see cref="StallLimit"/>.</param>
    /// <param name="cancellationToken">Ends the waiting for slow subscribers.</param>
    public async ValueTask PublishAsync(bool isError, long offset, ReadOnlySequence<byte> bytes, TimeProvider time, CancellationToken cancellationToken)
    {
        OutputSubscription[] now;
        int stream = isError ? 1 : 0;
        long known = Math.Clamp(_published[stream] - offset, 0, bytes.Length);
        _published[stream] = Math.Max(_published[stream], offset + bytes.Length);
        lock (_lock)
        {
            if (_subscriptions.Count == 0 || known == bytes.Length)
            {
                return;
            }

            now = [.. _subscriptions];
        }

        foreach (OutputSubscription subscription in now)
        {
            if (!await subscription.TryWriteAsync(isError, bytes.Slice(known), time, cancellationToken))
            {
                Remove(subscription);
            }
        }
    }

    /// <summary>No more output comes.</summary>
    public void Complete()
    {
        OutputSubscription[] left;
        lock (_lock)
        {
            _completed = true;
            left = [.. _subscriptions];
            _subscriptions.Clear();
        }

        foreach (OutputSubscription subscription in left)
        {
            subscription.End();
        }
    }

    internal void Remove(OutputSubscription subscription)
    {
        lock (_lock)
        {
            _subscriptions.Remove(subscription);
        }
    }
}

/// <summary>One subscriber's share of a container's output. What lies in it can be read after its end.</summary>
internal sealed class OutputSubscription(ContainerOutput owner) : IDisposable
{
    private const int BufferBytes = 256 * 1024;
    private readonly Lock _lock = new();
    private readonly Pipe _output = NewPipe();
    private readonly Pipe _error = NewPipe();
    private bool _ended;

    /// <summary>Standard output, or the terminal's.</summary>
    public PipeReader Output => _output.Reader;

    /// <summary>Standard error.</summary>
    public PipeReader Error => _error.Reader;

    /// <summary>Takes no more; readers get what is there and then the end.</summary>
    public void End() => End(null);

    /// <inheritdoc/>
    public void Dispose()
    {
        owner.Remove(this);
        End(null);
    }

    /// <returns>False: it has ended, or was cut off because it did not read.</returns>
    internal async ValueTask<bool> TryWriteAsync(bool isError, ReadOnlySequence<byte> bytes, TimeProvider time, CancellationToken cancellationToken)
    {
        ValueTask<FlushResult> flush;
        lock (_lock)
        {
            if (_ended)
            {
                return false;
            }

            PipeWriter writer = (isError ? _error : _output).Writer;
            foreach (ReadOnlyMemory<byte> piece in bytes)
            {
                writer.Write(piece.Span);
            }

            flush = writer.FlushAsync(cancellationToken);
        }

        if (flush.IsCompletedSuccessfully)
        {
            await flush;
            return true;
        }

        try
        {
            await flush.AsTask().WaitAsync(ContainerOutput.StallLimit, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            End(new IOException($"The client did not read for {ContainerOutput.StallLimit.TotalSeconds:0} s and was detached."));
            return false;
        }
    }

    private void End(Exception? fault)
    {
        lock (_lock)
        {
            if (!_ended)
            {
                _ended = true;
                _output.Writer.Complete(fault);
                _error.Writer.Complete(fault);
            }
        }
    }

    private static Pipe NewPipe() => new(new PipeOptions(
        pauseWriterThreshold: BufferBytes, resumeWriterThreshold: BufferBytes / 2, useSynchronizationContext: false));
}
