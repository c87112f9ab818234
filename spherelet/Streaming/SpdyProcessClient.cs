using System.IO.Pipelines;
using System.Threading.Channels;

namespace Vks.Spherelet.Streaming;

/// <summary>A client of exec or attach over SPDY: one stream each for errors, input, outputs and terminal sizes.</summary>
internal sealed class SpdyProcessClient : IProcessClient
{
    private readonly SpdyConnection _connection;
    private readonly StreamingProtocol _protocol;
    private readonly TimeSpan _linger;
    private readonly Channel<TerminalSize> _resizes = ResizeQueue.Create();
    private readonly Dictionary<string, SpdyStream> _streams = new(StringComparer.OrdinalIgnoreCase);
    private Task _resizing = Task.CompletedTask;

    private SpdyProcessClient(SpdyConnection connection, StreamingProtocol protocol, TimeSpan linger) =>
        (_connection, _protocol, _linger) = (connection, protocol, linger);

    /// <inheritdoc/>
    public PipeReader? Input => _streams.GetValueOrDefault("stdin")?.Input;

    /// <inheritdoc/>
    public ChannelReader<TerminalSize> Resizes => _resizes.Reader;

    /// <inheritdoc/>
    public CancellationToken Gone => _connection.Gone;

    /// <summary>Waits until the client has opened every stream that the request needs.</summary>
    /// <param name="connection">Started; stays the caller's.</param>
    /// <param name="protocol">As negotiated.</param>
    /// <param name="request">Which streams.</param>
    /// <param name="linger">How long the end waits for the client to hang up.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Null when the client went before.</returns>
    public static async Task<SpdyProcessClient?> AcceptAsync(
        SpdyConnection connection, StreamingProtocol protocol, ProcessStreamRequest request, TimeSpan linger, CancellationToken cancellationToken)
    {
        var client = new SpdyProcessClient(connection, protocol, linger);
        HashSet<string> missing = client.Expected(request);
        while (missing.Count > 0)
        {
            if (!await connection.Accepted.WaitToReadAsync(cancellationToken) || !connection.Accepted.TryRead(out SpdyStream? stream))
            {
                return null;
            }

            if (stream.Headers.GetValueOrDefault("streamtype") is { } type && missing.Remove(type))
            {
                client._streams[type] = stream;
            }
            else
            {
                stream.Reset(SpdyResetStatus.RefusedStream);
            }
        }

        if (client._streams.GetValueOrDefault("resize") is { } sizes)
        {
            client._resizing = TerminalSizes.CopyAsync(sizes.Input, client._resizes.Writer, connection.Gone);
        }

        return client;
    }

    /// <inheritdoc/>
    public ValueTask WriteOutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => WriteAsync("stdout", bytes, cancellationToken);

    /// <inheritdoc/>
    public ValueTask WriteErrorAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => WriteAsync("stderr", bytes, cancellationToken);

    /// <inheritdoc/>
    public async Task FinishAsync(StreamStatus status, CancellationToken cancellationToken)
    {
        foreach (string output in new[] { "stdout", "stderr" })
        {
            if (_streams.GetValueOrDefault(output) is { } stream)
            {
                await stream.EndAsync(cancellationToken);
            }
        }

        await WriteAsync("error", status.ToBytes(_protocol.HasJsonStatus), cancellationToken);
        foreach (SpdyStream stream in _streams.Values)
        {
            await stream.EndAsync(cancellationToken);
        }

        await _connection.CloseAsync(_linger);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _resizing;
    }

    private HashSet<string> Expected(ProcessStreamRequest request)
    {
        HashSet<string> types = new(StringComparer.OrdinalIgnoreCase) { "error" };
        Add("stdin", request.Stdin);
        Add("stdout", request.Stdout);
        Add("stderr", request.Stderr);
        Add("resize", request.Tty && _protocol.HasResize);
        return types;

        void Add(string type, bool wanted)
        {
            if (wanted)
            {
                types.Add(type);
            }
        }
    }

    private ValueTask WriteAsync(string type, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        _streams.GetValueOrDefault(type)?.WriteAsync(bytes, cancellationToken) ?? ValueTask.CompletedTask;
}
