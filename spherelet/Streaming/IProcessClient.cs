using System.IO.Pipelines;
using System.Threading.Channels;

namespace Vks.Spherelet.Streaming;

/// <summary>The client of an exec or attach session, whatever it speaks.</summary>
internal interface IProcessClient : IAsyncDisposable
{
    /// <summary>Standard input as the client sends it; at its end the client sends no more. Null when none was asked for.</summary>
    PipeReader? Input { get; }

    /// <summary>Sizes of the client's terminal; only the last is kept until it is read.</summary>
    ChannelReader<TerminalSize> Resizes { get; }

    /// <summary>Fires once the client is gone.</summary>
    CancellationToken Gone { get; }

    /// <summary>Sends standard output, waiting while the client does not read; dropped when the client wants none.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    ValueTask WriteOutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Sends standard error, likewise.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    ValueTask WriteErrorAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Ends the streams, tells how it went, and hangs up.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    Task FinishAsync(StreamStatus status, CancellationToken cancellationToken);
}

/// <summary>Makes the queue of terminal sizes: a size that a newer one has replaced interests nobody.</summary>
internal static class ResizeQueue
{
    /// <summary>A queue of one.</summary>
    public static Channel<TerminalSize> Create() =>
        Channel.CreateBounded<TerminalSize>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
}
