using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>One session of one host: its open calls. Ended by the host's going or by its next Hello.</summary>
/// <remarks>
/// Every frame of the session is queued under one lock that <see cref="End"/> takes too, so that after the next session's
/// HelloReply no answer to an old call can follow.
/// </remarks>
internal sealed class AgentSession(string nonce, FrameWriter writer, MethodTable methods, Action<string> log)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, AgentCall> _calls = [];
    private bool _ended;

    /// <summary>The nonce of the Hello that opened it.</summary>
    public string Nonce => nonce;

    /// <summary>Takes one message of the host that is not a Hello.</summary>
    public void Receive(FrameHeader header, ReadOnlySpan<byte> body, bool oversized)
    {
        if (header.Kind == FrameKind.Request)
        {
            Start(header.CallId, body, oversized);
            return;
        }

        // A call that has ended may still have frames of the host under way; they are nobody's fault.
        if (Find(header.CallId) is not { } call)
        {
            return;
        }

        switch (header.Kind)
        {
            case FrameKind.Cancel:
                call.EndWith(CallEnd.HostCancelled);
                break;
            case FrameKind.Data:
                call.Receive(header.Stream, body);
                break;
            case FrameKind.End:
                call.ReceiveEnd();
                break;
            case FrameKind.Credit:
                call.ReceiveCredit(header.Stream, body);
                break;
            default:
                log($"channel: the host sent {header.Kind}, which only a guest sends; ignored");
                break;
        }
    }

    /// <summary>Detaches every open call; nothing of this session is queued afterwards.</summary>
    public void End()
    {
        AgentCall[] calls;
        lock (_gate)
        {
            _ended = true;
            calls = [.. _calls.Values];
            _calls.Clear();
        }

        foreach (AgentCall call in calls)
        {
            call.EndWith(CallEnd.SessionEnded);
        }
    }

    /// <summary>Queues a small frame; dropped when the session has ended.</summary>
    public void Post(FrameKind kind, GuestStream stream, uint callId, ReadOnlySpan<byte> body)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                writer.Post(kind, stream, callId, body);
            }
        }
    }

    /// <summary>Queues a message once there is room.</summary>
    /// <exception cref="OperationCanceledException">The token, or the session has ended.</exception>
    public async ValueTask SendAsync(
        FrameKind kind, GuestStream stream, uint callId, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        try
        {
            while (!TryPost(kind, stream, callId, body.Span))
            {
                await writer.WaitForRoomAsync(cancellationToken);
            }
        }
        catch (IOException exception)
        {
            throw new OperationCanceledException("The host is gone.", exception, cancellationToken);
        }
    }

    private bool TryPost(FrameKind kind, GuestStream stream, uint callId, ReadOnlySpan<byte> body)
    {
        lock (_gate)
        {
            return !_ended
                ? writer.TryPost(kind, stream, callId, body)
                : throw new OperationCanceledException("The session has ended.");
        }
    }

    private void Start(uint callId, ReadOnlySpan<byte> body, bool oversized)
    {
        try
        {
            if (oversized)
            {
                throw new AgentException(
                    GuestFault.InvalidRequest, $"The request is longer than {ProtocolLimits.MaxMessageBytes} bytes.");
            }

            AgentCall call = Admit(callId, Parse(body));
            // On the pool, so that a handler that blocks holds up nobody else's frames.
            _ = Task.Run(() => RunAsync(call), CancellationToken.None);
        }
        catch (AgentException refusal)
        {
            PostError(callId, refusal.Fault, refusal.Message);
        }
    }

    private static GuestRequest Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, GuestJson.Default.GuestRequest) is { Method: not null } request
                ? request
                : throw new AgentException(GuestFault.InvalidRequest, "The request names no method.");
        }
        catch (JsonException exception)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"The request is not JSON of a call: {exception.Message}", exception);
        }
    }

    private AgentCall Admit(uint callId, GuestRequest request)
    {
        lock (_gate)
        {
            if (_calls.Count >= ProtocolLimits.MaxConcurrentCalls)
            {
                throw new AgentException(
                    GuestFault.ResourceExhausted,
                    $"{request.Method}: {ProtocolLimits.MaxConcurrentCalls} calls are open already; end some first.");
            }

            var call = new AgentCall(this, callId, request.Method, request.Body);
            return _calls.TryAdd(callId, call)
                ? call
                : throw new AgentException(GuestFault.InvalidRequest, $"{request.Method}: call {callId} is open already.");
        }
    }

    private async Task RunAsync(AgentCall call)
    {
        (FrameKind kind, byte[] body) = await InvokeAsync(call);
        call.EndWith(CallEnd.Completed);
        lock (_gate)
        {
            _calls.Remove(call.Id);
        }

        try
        {
            await SendAsync(kind, default, call.Id, body, CancellationToken.None);
        }
        catch (OperationCanceledException)
        {
            // The session has ended: nobody waits for the answer.
        }
    }

    private async Task<(FrameKind Kind, byte[] Body)> InvokeAsync(AgentCall call)
    {
        try
        {
            byte[] result = await methods.InvokeAsync(call, call.Cancelled);
            return result.Length <= ProtocolLimits.MaxMessageBytes
                ? (FrameKind.Response, result)
                : Error(GuestFault.Failed, $"{call.Method}: the result has {result.Length} bytes, more than {ProtocolLimits.MaxMessageBytes}.");
        }
        catch (AgentException exception)
        {
            return Error(exception.Fault, exception.Message);
        }
        catch (OperationCanceledException) when (call.End == CallEnd.ProtocolFault)
        {
            return Error(GuestFault.InvalidRequest, $"{call.Method}: the host broke the flow control of the call's streams.");
        }
        catch (OperationCanceledException) when (call.End != CallEnd.None)
        {
            return Error(GuestFault.Cancelled, $"{call.Method}: cancelled by the host.");
        }
        catch (Exception exception)
        {
            log($"channel: {call.Method} (call {call.Id}) failed: {exception}");
            return Error(GuestFault.Failed, $"{call.Method}: {exception.Message}");
        }
    }

    private void PostError(uint callId, GuestFault fault, string message) =>
        Post(FrameKind.Error, default, callId, Error(fault, message).Body);

    private static (FrameKind Kind, byte[] Body) Error(GuestFault fault, string message) =>
        (FrameKind.Error, JsonSerializer.SerializeToUtf8Bytes(new GuestError(fault, message), GuestJson.Default.GuestError));

    private AgentCall? Find(uint callId)
    {
        lock (_gate)
        {
            return _calls.GetValueOrDefault(callId);
        }
    }
}
