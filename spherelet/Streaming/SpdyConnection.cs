using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Threading.Channels;

namespace Vks.Spherelet.Streaming;

/// <summary>The server's end of one SPDY/3.1 connection: one loop reads, everybody writes frames whole, one at a time.</summary>
/// <remarks>
/// The widespread client library knows no flow control: it neither keeps to windows nor opens them. So windows bind us only once the
/// client has shown that it has them (SETTINGS or WINDOW_UPDATE), and a client that overruns ours is held up by not reading on.
/// </remarks>
internal sealed partial class SpdyConnection : IAsyncDisposable
{
    /// <summary>Most bytes in one data frame that we send.</summary>
    public const int MaxDataBytes = 32 * 1024;

    /// <summary>Most streams open at once; more are refused.</summary>
    public const int MaxStreams = 1024;

    /// <summary>Replies that may wait for a client that does not read, before it is taken for hostile.</summary>
    private const int MaxWaitingReplies = 4096;

    private const int InitialWindowSetting = 7;

    /// <summary>How long a client that broke the rules has to take in that it did.</summary>
    private static readonly TimeSpan s_lastWordTimeout = TimeSpan.FromSeconds(1);

    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly Action _activity;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SpdyHeaderReader _headers = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ConcurrentQueue<Action<IBufferWriter<byte>>> _replies = new();
    private readonly Channel<SpdyStream> _accepted = Channel.CreateUnbounded<SpdyStream>(new UnboundedChannelOptions { SingleWriter = true });
    private readonly ConcurrentDictionary<uint, SpdyStream> _streams = new();
    private readonly CancellationTokenSource _gone = new();
    private Task _receiving = Task.CompletedTask;
    private long _peerWindow = SpdyFrame.InitialWindowBytes;
    private uint _lastStreamId;
    private bool _replied;
    private volatile bool _closing;

    /// <param name="transport">Stays the caller's.</param>
    /// <param name="activity">Called for every frame in either direction.</param>
    /// <param name="time">The clock of timeouts.</param>
    /// <param name="logger">Events 3310 to 3319.</param>
    public SpdyConnection(Stream transport, Action activity, TimeProvider time, ILogger logger)
    {
        _reader = PipeReader.Create(transport, new StreamPipeReaderOptions(bufferSize: 32 * 1024, leaveOpen: true));
        _writer = PipeWriter.Create(transport, new StreamPipeWriterOptions(leaveOpen: true));
        (_activity, _time, _logger) = (activity, time, logger);
        Gone = _gone.Token;
    }

    /// <summary>Streams as the client opens them, each already answered; ends with the connection.</summary>
    public ChannelReader<SpdyStream> Accepted => _accepted.Reader;

    /// <summary>Fires once the client is gone or has broken the rules.</summary>
    public CancellationToken Gone { get; }

    /// <summary>The client takes part in flow control.</summary>
    internal bool PeerHasWindows { get; private set; }

    /// <summary>Starts reading.</summary>
    public void Start() => _receiving = ReceiveAsync();

    /// <summary>Tells the client that this is the end, and gives it time to hang up.</summary>
    public async Task CloseAsync(TimeSpan linger)
    {
        _closing = true;
        if (!Gone.IsCancellationRequested)
        {
            Post(to => SpdyFrameWriter.GoAway(to, _lastStreamId, protocolError: false));
            await Task.WhenAny(_receiving, Task.Delay(linger, _time, Gone));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await LoseAsync();
        await _receiving;
        await _writing.WaitAsync();
        await _writer.CompleteAsync(new IOException("The connection is closed."));
        _writing.Release();
        _headers.Dispose();
        _gone.Dispose();
    }

    /// <summary>Sends a data frame.</summary>
    /// <exception cref="IOException">The connection is gone.</exception>
    internal async ValueTask SendDataAsync(uint streamId, ReadOnlyMemory<byte> bytes, bool fin, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            // A reply that waits goes first: clients drop bytes of a stream that was not answered.
            WriteReplies();
            SpdyFrameWriter.Data(_writer, streamId, fin, bytes.Span);
            await FlushAsync();
        }
        finally
        {
            _writing.Release();
        }

        _activity();
    }

    /// <summary>Tells the client that a stream is over.</summary>
    internal void PostReset(uint streamId, SpdyResetStatus status) => Post(to => SpdyFrameWriter.RstStream(to, streamId, status));

    /// <summary>Both sides of a stream have ended.</summary>
    internal void Forget(uint streamId) => _streams.TryRemove(streamId, out _);

    private async Task ReceiveAsync()
    {
        await Task.Yield();
        Exception? fault = null;
        try
        {
            var frames = new SpdyFrameReader(_reader);
            while (await frames.ReadAsync(Gone) is { } frame)
            {
                _activity();
                await HandleAsync(frame);
            }
        }
        catch (OperationCanceledException)
        {
            // We ended it ourselves.
        }
        catch (SpdyException broken)
        {
            fault = broken;
            ProtocolBroken(broken.Message);
            _replies.Enqueue(to => SpdyFrameWriter.GoAway(to, _lastStreamId, protocolError: true));
            await Task.WhenAny(FlushRepliesAsync(), Task.Delay(s_lastWordTimeout, _time, Gone));
        }
        catch (Exception lost)
        {
            // Transports differ in what they throw when the client is gone.
            fault = lost;
            ConnectionLost(lost.Message);
        }
        finally
        {
            _accepted.Writer.TryComplete();
            foreach (SpdyStream stream in _streams.Values)
            {
                stream.Abort(fault ?? new IOException("The client has closed the connection."));
            }

            await LoseAsync();
            await _reader.CompleteAsync();
        }
    }

    private ValueTask HandleAsync(SpdyFrame frame)
    {
        switch (frame.Type)
        {
            case SpdyFrameType.Data:
                return ReceiveDataAsync(frame);
            case SpdyFrameType.SynStream:
                Open(frame);
                break;
            case SpdyFrameType.RstStream when StreamOf(frame, 2 * sizeof(uint)) is { } reset:
                Forget(reset.Id);
                reset.Abort(null);
                break;
            case SpdyFrameType.Settings:
                ReadSettings(frame);
                break;
            case SpdyFrameType.Ping when Number(frame, 0) is var id && id % 2 == 1:
                Post(to => SpdyFrameWriter.Ping(to, id));
                break;
            case SpdyFrameType.Headers or SpdyFrameType.SynReply:
                // Nothing in them matters here, but they move the decompressor on.
                Number(frame, 0);
                _headers.Read(frame.Payload.Slice(sizeof(uint)));
                break;
            case SpdyFrameType.WindowUpdate:
                PeerHasWindows = true;
                StreamOf(frame, 2 * sizeof(uint))?.AddRoom(Number(frame, sizeof(uint)) & 0x7FFF_FFFF);
                break;
            default:
                // GOAWAY: the client hangs up next. Types nobody knows are to be skipped.
                break;
        }

        return ValueTask.CompletedTask;
    }

    private async ValueTask ReceiveDataAsync(SpdyFrame frame)
    {
        if (_streams.TryGetValue(frame.StreamId, out SpdyStream? stream))
        {
            bool fin = frame.IsLastPiece && (frame.Flags & SpdyFrame.FlagFin) != 0;
            int credit = await stream.ReceiveAsync(frame.Payload, fin, Gone);
            if (credit > 0)
            {
                Post(to => SpdyFrameWriter.WindowUpdate(to, frame.StreamId, credit));
            }
        }
    }

    private void Open(SpdyFrame frame)
    {
        const int fixedBytes = 10;
        uint id = Number(frame, 0) & 0x7FFF_FFFF;
        if (frame.Payload.Length < fixedBytes)
        {
            throw new SpdyException("A SYN_STREAM frame is too short.");
        }

        Dictionary<string, string> headers = _headers.Read(frame.Payload.Slice(fixedBytes));
        if (id % 2 == 0 || id <= _lastStreamId)
        {
            throw new SpdyException($"The client opened stream {id} after stream {_lastStreamId}.");
        }

        _lastStreamId = id;
        if (_closing || _streams.Count >= MaxStreams)
        {
            PostReset(id, SpdyResetStatus.RefusedStream);
            return;
        }

        bool writable = (frame.Flags & SpdyFrame.FlagUnidirectional) == 0;
        var stream = new SpdyStream(this, id, headers, writable, Interlocked.Read(ref _peerWindow));
        _streams[id] = stream;
        Post(to =>
        {
            SpdyFrameWriter.SynReply(to, id, first: !_replied);
            _replied = true;
        });
        if ((frame.Flags & SpdyFrame.FlagFin) != 0)
        {
            stream.EndOfInput();
        }

        _accepted.Writer.TryWrite(stream);
    }

    private void ReadSettings(SpdyFrame frame)
    {
        uint count = Number(frame, 0);
        if (frame.Payload.Length < sizeof(uint) + ((long)count * 2 * sizeof(uint)))
        {
            throw new SpdyException("A SETTINGS frame is too short.");
        }

        for (var i = 0; i < count; i++)
        {
            int at = sizeof(uint) + (i * 2 * sizeof(uint));
            if ((Number(frame, at) & 0xFF_FFFF) == InitialWindowSetting)
            {
                long window = Number(frame, at + sizeof(uint)) & 0x7FFF_FFFF;
                long change = window - Interlocked.Exchange(ref _peerWindow, window);
                PeerHasWindows = true;
                foreach (SpdyStream stream in _streams.Values)
                {
                    stream.AddRoom(change);
                }
            }
        }
    }

    private SpdyStream? StreamOf(SpdyFrame frame, int leastBytes) => frame.Payload.Length < leastBytes
        ? throw new SpdyException($"A {frame.Type} frame is too short.")
        : _streams.GetValueOrDefault(Number(frame, 0) & 0x7FFF_FFFF);

    private static uint Number(SpdyFrame frame, int at)
    {
        if (frame.Payload.Length < at + sizeof(uint))
        {
            throw new SpdyException($"A {frame.Type} frame is too short.");
        }

        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        frame.Payload.Slice(at, sizeof(uint)).CopyTo(bytes);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    /// <summary>Sends a reply soon; the reading loop must not wait for a client that does not read.</summary>
    private void Post(Action<IBufferWriter<byte>> reply)
    {
        _replies.Enqueue(reply);
        if (_replies.Count > MaxWaitingReplies)
        {
            ProtocolBroken("it asks without reading the replies");
            _ = LoseAsync();
            return;
        }

        _ = FlushRepliesAsync();
    }

    private async Task FlushRepliesAsync()
    {
        try
        {
            await _writing.WaitAsync(Gone);
            try
            {
                if (WriteReplies())
                {
                    await FlushAsync();
                }
            }
            finally
            {
                _writing.Release();
            }
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            // The reading loop tells everybody.
        }
    }

    private bool WriteReplies()
    {
        var any = false;
        while (_replies.TryDequeue(out Action<IBufferWriter<byte>>? reply))
        {
            reply(_writer);
            any = true;
        }

        return any;
    }

    private async Task FlushAsync()
    {
        try
        {
            // A frame that was begun has to be finished: only the end of the connection stops it.
            await _writer.FlushAsync(Gone);
        }
        catch (Exception cause)
        {
            // Transports differ in what they throw when the client is gone.
            await LoseAsync();
            throw new IOException("The client has closed the connection.", cause);
        }
    }

    private async Task LoseAsync()
    {
        try
        {
            await _gone.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // Disposed before: it is gone for long.
        }
    }

    [LoggerMessage(3311, LogLevel.Debug, "A streaming client is gone: {Reason}")]
    private partial void ConnectionLost(string reason);

    [LoggerMessage(3310, LogLevel.Warning, "A streaming client was cut off: {Fault}")]
    private partial void ProtocolBroken(string fault);
}
