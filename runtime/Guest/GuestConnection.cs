using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>One session with one agent: a read loop, a frame writer and the table of open calls.</summary>
/// <remarks>
/// The read loop never waits for a consumer: a stream that nobody reads holds at most its window, and the guest stops sending on
/// it alone. The first reason that ends the connection wins and fails every open call.
/// </remarks>
internal sealed partial class GuestConnection : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly FrameReader _reader;
    private readonly FrameWriter _writer;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, OpenCall> _calls = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<GuestException> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _loop;
    private uint _lastCallId;
    private int _disposed;

    private GuestConnection(Stream stream, FrameReader reader, FrameWriter writer, HelloReply session, ILogger logger)
    {
        (_stream, _reader, _writer, _logger, Session) = (stream, reader, writer, logger, session);
        _loop = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>What the agent said of itself.</summary>
    internal HelloReply Session { get; }

    /// <summary>Completes with the reason once the connection is of no more use.</summary>
    internal Task<GuestException> Closed => _closed.Task;

    /// <summary>Raised on the read loop.</summary>
    internal event Action<GuestEvent>? EventReceived;

    /// <summary>Shakes hands over <paramref name="stream"/>, which the connection owns from here on, success or not.</summary>
    internal static async Task<GuestConnection> OpenAsync(
        Stream stream, bool usedBefore, bool forTemplate, ILogger logger, CancellationToken cancellationToken)
    {
        var reader = new FrameReader(stream);
        var writer = new FrameWriter(stream);
        try
        {
            HelloReply session = await GuestHandshake.RunAsync(reader, writer, usedBefore, forTemplate, cancellationToken);
            SessionOpened(logger, session.Nonce, session.AgentVersion, session.Version, reader.SkippedBytes);
            return new GuestConnection(stream, reader, writer, session, logger);
        }
        catch
        {
            writer.Abort(new IOException("The handshake failed."));
            reader.Dispose();
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends a request.</summary>
    /// <exception cref="GuestException">ConnectionLost, ResourceExhausted when too many calls are open, InvalidRequest when too long.</exception>
    internal async Task<OpenCall> StartAsync(string method, byte[] request, CancellationToken cancellationToken)
    {
        if (request.Length > ProtocolLimits.MaxMessageBytes)
        {
            throw new GuestException(
                GuestFault.InvalidRequest, $"{method}: the request has {request.Length} bytes, at most {ProtocolLimits.MaxMessageBytes} are allowed.");
        }

        OpenCall call = Add(method);
        try
        {
            await SendAsync(FrameKind.Request, default, call.Id, request, cancellationToken);
            return call;
        }
        catch
        {
            Forget(call);
            throw;
        }
    }

    /// <summary>Queues a message once there is room.</summary>
    /// <exception cref="GuestException">ConnectionLost.</exception>
    internal async ValueTask SendAsync(
        FrameKind kind, GuestStream stream, uint callId, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        try
        {
            while (!_writer.TryPost(kind, stream, callId, body.Span))
            {
                await _writer.WaitForRoomAsync(cancellationToken);
            }
        }
        catch (IOException exception)
        {
            throw _closed.Task.IsCompletedSuccessfully ? await _closed.Task : Lost(exception.Message, exception);
        }
    }

    /// <summary>Tells the guest that nobody waits for a call any more.</summary>
    internal void Cancel(uint callId) => _writer.Post(FrameKind.Cancel, default, callId, []);

    /// <summary>Gives credit back.</summary>
    internal void Credit(GuestStream stream, uint callId, int bytes)
    {
        Span<byte> body = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)bytes);
        _writer.Post(FrameKind.Credit, stream, callId, body);
    }

    /// <summary>Drops a call; frames of the guest that still come for it are ignored.</summary>
    internal void Forget(OpenCall call)
    {
        lock (_gate)
        {
            _calls.Remove(call.Id);
        }
    }

    /// <summary>Ends the connection and fails what is open.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Close(Lost("the host closed the connection", null));
        }

        await _loop;
    }

    private OpenCall Add(string method)
    {
        lock (_gate)
        {
            if (_closed.Task.IsCompleted)
            {
                throw new GuestException(
                    GuestFault.Failed, $"{method}: the channel to the guest is closed.", connectionLost: true);
            }

            if (_calls.Count >= ProtocolLimits.MaxConcurrentCalls)
            {
                throw new GuestException(
                    GuestFault.ResourceExhausted,
                    $"{method}: {ProtocolLimits.MaxConcurrentCalls} calls to the guest are open already; end some first.");
            }

            var call = new OpenCall(this, ++_lastCallId, method);
            _calls.Add(call.Id, call);
            return call;
        }
    }

    private async Task RunAsync()
    {
        Task watch = _writer.Faulted.ContinueWith(
            fault => Close(Lost(fault.Result.Message, fault.Result)),
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        try
        {
            while (await _reader.ReadAsync(_stop.Token))
            {
                Dispatch();
            }

            Close(Lost("the guest's end was closed", null));
        }
        catch (Exception exception)
        {
            Close(Lost(exception.Message, exception));
        }

        await watch;
        await _stream.DisposeAsync();
        _reader.Dispose();
    }

    private void Dispatch()
    {
        FrameHeader header = _reader.Header;
        if (header.Kind == FrameKind.Event)
        {
            Raise(_reader.Body.Span);
            return;
        }

        OpenCall? call;
        lock (_gate)
        {
            call = _calls.GetValueOrDefault(header.CallId);
        }

        if (call?.Receive(header, _reader.Body.Span, _reader.Oversized) == true)
        {
            Forget(call);
        }
    }

    private void Raise(ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, GuestJson.Default.GuestEvent) is { } guestEvent)
            {
                EventReceived?.Invoke(guestEvent);
            }
        }
        catch (Exception exception)
        {
            EventFailed(_logger, Session.Nonce, exception);
        }
    }

    private void Close(GuestException reason)
    {
        OpenCall[] calls;
        lock (_gate)
        {
            if (!_closed.TrySetResult(reason))
            {
                return;
            }

            calls = [.. _calls.Values];
            _calls.Clear();
        }

        ConnectionClosed(_logger, Session.Nonce, calls.Length, reason.Message);
        _writer.Abort(reason);
        foreach (OpenCall call in calls)
        {
            call.Fail(new GuestException(GuestFault.Failed, $"{call.Method}: {reason.Message}", connectionLost: true, reason.InnerException));
        }

        // Last, since it may run the read loop's end on this thread.
        _ = _stop.CancelAsync();
    }

    private static GuestException Lost(string what, Exception? cause) =>
        new(GuestFault.Failed, $"The channel to the guest was lost: {what}. Whether open calls took effect is not known.", connectionLost: true, cause);

    [LoggerMessage(2300, LogLevel.Debug, "Guest session {Nonce}: session open, agent {AgentVersion}, protocol {Version}, {Skipped} stray bytes skipped")]
    private static partial void SessionOpened(ILogger logger, string nonce, string agentVersion, int version, long skipped);

    [LoggerMessage(2301, LogLevel.Debug, "Guest session {Nonce}: channel closed with {Calls} calls open: {Reason}")]
    private static partial void ConnectionClosed(ILogger logger, string nonce, int calls, string reason);

    [LoggerMessage(2302, LogLevel.Error, "Guest session {Nonce}: an event could not be read or its handler threw")]
    private static partial void EventFailed(ILogger logger, string nonce, Exception exception);
}
