using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Threading.Channels;

namespace Vks.Spherelet.Streaming;

/// <summary>A client of exec or attach over WebSocket: one channel each for input, outputs, the status and terminal sizes.</summary>
internal sealed class WebSocketProcessClient : IProcessClient
{
    private const int InputChannel = 0;
    private const int OutputChannel = 1;
    private const int ErrorChannel = 2;
    private const int StatusChannel = 3;
    private const int ResizeChannel = 4;

    /// <summary>Unread bytes of input at which no more are taken from the client.</summary>
    private const int MaxUnreadBytes = 1024 * 1024;

    private readonly WebSocketChannels _channels;
    private readonly StreamingProtocol _protocol;
    private readonly ProcessStreamRequest _request;
    private readonly StreamingOptions _options;
    private readonly TimeProvider _time;
    private readonly Channel<TerminalSize> _resizes = ResizeQueue.Create();
    private readonly MemoryStream _size = new();
    private readonly Pipe _input = new(new PipeOptions(
        pauseWriterThreshold: MaxUnreadBytes, resumeWriterThreshold: MaxUnreadBytes / 2, useSynchronizationContext: false));

    private readonly CancellationTokenRegistration _ending;
    private readonly Lock _lock = new();
    private bool _inputEnded;

    /// <param name="socket">Stays the caller's.</param>
    /// <param name="protocol">As negotiated.</param>
    /// <param name="request">Which streams.</param>
    /// <param name="activity">Called for every message in either direction.</param>
    /// <param name="options">How long the end waits for the client to hang up.</param>
    /// <param name="time">The clock.</param>
    public WebSocketProcessClient(
        WebSocket socket, StreamingProtocol protocol, ProcessStreamRequest request, Action activity, StreamingOptions options, TimeProvider time)
    {
        (_protocol, _request, _options, _time) = (protocol, request, options, time);
        _channels = new WebSocketChannels(socket, protocol.Base64, activity);
        _ending = _channels.Gone.UnsafeRegister(static state => ((WebSocketProcessClient)state!).EndInput(), this);
    }

    /// <inheritdoc/>
    public PipeReader? Input => _request.Stdin ? _input.Reader : null;

    /// <inheritdoc/>
    public ChannelReader<TerminalSize> Resizes => _resizes.Reader;

    /// <inheritdoc/>
    public CancellationToken Gone => _channels.Gone;

    /// <summary>Starts reading, and tells the client that it is connected: an empty message on the first channel it can hear.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _channels.Start(ReceiveAsync);
        int first = _request.Stdout ? OutputChannel : _request.Stderr ? ErrorChannel : StatusChannel;
        await _channels.SendAsync(first, default, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask WriteOutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        _request.Stdout ? _channels.SendAsync(OutputChannel, bytes, cancellationToken) : ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask WriteErrorAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        _request.Stderr ? _channels.SendAsync(ErrorChannel, bytes, cancellationToken) : ValueTask.CompletedTask;

    /// <inheritdoc/>
    public async Task FinishAsync(StreamStatus status, CancellationToken cancellationToken)
    {
        if (status.ToBytes(_protocol.HasJsonStatus) is { Length: > 0 } bytes)
        {
            await _channels.SendAsync(StatusChannel, bytes, cancellationToken);
        }

        await _channels.CloseAsync(_options.LingerTimeout, _time, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _input.Reader.CompleteAsync();
        await _channels.DisposeAsync();
        await _ending.DisposeAsync();
        await _size.DisposeAsync();
    }

    private async ValueTask ReceiveAsync(int channel, ReadOnlyMemory<byte> bytes, bool isFirst, bool isLast)
    {
        switch (channel)
        {
            case InputChannel when _request.Stdin && !_inputEnded && !bytes.IsEmpty:
                await _input.Writer.WriteAsync(bytes, Gone);
                break;
            case ResizeChannel:
                ReceiveSize(bytes.Span, isFirst, isLast);
                break;
            case WebSocketChannels.CloseChannel when _protocol.HasChannelClose && !bytes.IsEmpty && bytes.Span[0] == InputChannel:
                EndInput();
                break;
            default:
                // Channels that only the server sends on.
                break;
        }
    }

    private void ReceiveSize(ReadOnlySpan<byte> bytes, bool isFirst, bool isLast)
    {
        if (isFirst)
        {
            _size.SetLength(0);
        }

        if (_size.Length + bytes.Length <= TerminalSizes.MaxBytes)
        {
            _size.Write(bytes);
        }

        if (isLast)
        {
            TerminalSizes.Take(_size.ToArray(), _resizes.Writer);
        }
    }

    private void EndInput()
    {
        lock (_lock)
        {
            if (!_inputEnded)
            {
                _inputEnded = true;
                _input.Writer.Complete();
            }
        }
    }
}
