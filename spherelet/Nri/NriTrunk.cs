using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vks.Spherelet.Nri;

/// <summary>Several streams over one connection to a plugin, in NRI's framing (containerd/nri, pkg/net/multiplex).</summary>
/// <remarks>
/// <code>stream id, 4 bytes | length, 4 bytes | bytes</code> Both numbers are big-endian. What comes for a stream that was not opened is passed over.
/// One task reads; it ends with the connection, and all streams with it. A stream that nobody reads holds up the others once it is full.
/// </remarks>
internal sealed class NriTrunk : IAsyncDisposable
{
    /// <summary>The stream on which the runtime calls the plugin.</summary>
    public const uint PluginService = 1;

    /// <summary>The stream on which the plugin calls the runtime.</summary>
    public const uint RuntimeService = 2;

    /// <summary>Most bytes of one frame: a whole ttrpc message.</summary>
    internal const int MostBytes = TtrpcHeader.Size + TtrpcHeader.MostBytes;

    private const int HeaderBytes = 8;

    private readonly Stream _connection;
    private readonly Dictionary<uint, Pipe> _streams;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly CancellationTokenSource _closed = new();
    private readonly byte[] _header = new byte[HeaderBytes];
    private Task _reading = Task.CompletedTask;

    /// <summary>Opens the streams; nothing is read before <see cref="Start"/>.</summary>
    /// <param name="connection">The connection; disposed with this.</param>
    /// <param name="streams">Ids of the streams, 1 and up.</param>
    public NriTrunk(Stream connection, params ReadOnlySpan<uint> streams)
    {
        _connection = connection;
        _streams = new Dictionary<uint, Pipe>(streams.Length);
        foreach (uint id in streams)
        {
            _streams[id] = new Pipe(new PipeOptions(pauseWriterThreshold: 2 * MostBytes, resumeWriterThreshold: MostBytes, useSynchronizationContext: false));
        }
    }

    /// <summary>Completes when the other side has closed the connection, it broke, or this was disposed.</summary>
    public Task Ended => _reading;

    /// <summary>What comes on a stream. Completes with the connection.</summary>
    public PipeReader Input(uint stream) => _streams[stream].Reader;

    /// <summary>Begins to read.</summary>
    public void Start() => _reading = ReadAsync(_closed.Token);

    /// <summary>Writes one frame, whole or not at all unless the connection breaks.</summary>
    /// <exception cref="IOException">The connection is closed.</exception>
    public async Task WriteAsync(uint stream, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            BinaryPrimitives.WriteUInt32BigEndian(_header, stream);
            BinaryPrimitives.WriteUInt32BigEndian(_header.AsSpan(4), (uint)bytes.Length);
            await _connection.WriteAsync(_header, _closed.Token);
            await _connection.WriteAsync(bytes, _closed.Token);
        }
        catch (Exception cause) when (cause is ObjectDisposedException or OperationCanceledException)
        {
            throw new IOException("The connection to the plugin is closed.", cause);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        await _connection.DisposeAsync();
        await _reading;
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        Exception? broken = null;
        var header = new byte[HeaderBytes];
        try
        {
            while (await _connection.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, cancellationToken) == HeaderBytes)
            {
                uint length = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
                if (length > MostBytes)
                {
                    throw new IOException($"A plugin announced a frame of {length} bytes; at most {MostBytes} are taken.");
                }

                await TakeAsync(BinaryPrimitives.ReadUInt32BigEndian(header), (int)length, cancellationToken);
            }
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException or OperationCanceledException)
        {
            broken = cause as IOException;
        }

        foreach (Pipe stream in _streams.Values)
        {
            await stream.Writer.CompleteAsync(broken);
        }
    }

    private async Task TakeAsync(uint stream, int length, CancellationToken cancellationToken)
    {
        if (!_streams.TryGetValue(stream, out Pipe? pipe))
        {
            await _connection.ReadExactlyAsync(new byte[length], cancellationToken);
            return;
        }

        await _connection.ReadExactlyAsync(pipe.Writer.GetMemory(Math.Max(length, 1))[..length], cancellationToken);
        pipe.Writer.Advance(length);
        await pipe.Writer.FlushAsync(cancellationToken);
    }
}
