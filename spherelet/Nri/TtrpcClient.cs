using System.Collections.Concurrent;
using Google.Protobuf;
using Nito.AsyncEx;
using Vks.Spherelet.Nri.Wire;

namespace Vks.Spherelet.Nri;

/// <summary>Calls over one stream of a trunk, many at once.</summary>
internal sealed class TtrpcClient(TtrpcWire wire)
{
    private readonly ConcurrentDictionary<uint, PendingCall> _calls = new();
    private readonly AsyncLock _writing = new();
    private uint _lastCall = uint.MaxValue;
    private TtrpcException? _ended;

    /// <summary>Brings answers to their calls until the connection ends; then all calls fail.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Exception? broken = null;
        try
        {
            while (await wire.ReadAsync(cancellationToken) is var (header, payload))
            {
                if (header.Kind == TtrpcKind.Response && _calls.TryRemove(header.Call, out PendingCall? call))
                {
                    call.Answer.TrySetResult(Response.Parser.ParseFrom(payload));
                }
            }
        }
        catch (Exception cause) when (cause is IOException or TtrpcException or InvalidProtocolBufferException or OperationCanceledException)
        {
            broken = cause;
        }

        _ended = new TtrpcException(
            broken is TtrpcException or InvalidProtocolBufferException ? TtrpcCode.Internal : TtrpcCode.Unavailable,
            broken is null or OperationCanceledException ? "the connection is closed" : $"the connection broke: {broken.Message}",
            isFatal: true,
            broken);
        foreach (PendingCall call in _calls.Values)
        {
            call.Answer.TrySetException(_ended);
        }
    }

    /// <summary>Calls a method.</summary>
    /// <param name="service">The service's whole name.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="request">What it is given.</param>
    /// <param name="answer">Reads what it gives.</param>
    /// <param name="limit">How long it may take; told to the other side too.</param>
    /// <param name="time">The clock of that.</param>
    /// <param name="cancellationToken">Ends the waiting; the other side goes on.</param>
    /// <exception cref="TtrpcException">The other side refused, did not answer in time, or is gone.</exception>
    public async Task<T> CallAsync<T>(
        string service, string method, IMessage request, MessageParser<T> answer, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
        where T : IMessage<T>
    {
        using var patience = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        var call = new PendingCall();
        try
        {
            // Waited for and not cancelled: a message that is begun is ended, since half of one would break the connection for all calls.
            await SendAsync(
                new Request { Service = service, Method = method, Payload = request.ToByteString(), TimeoutNano = limit.Ticks * TimeSpan.NanosecondsPerTick }, call).WaitAsync(either.Token);
            Response response = await call.Answer.Task.WaitAsync(either.Token);
            return response.Status is { Code: not 0 } refused
                ? throw new TtrpcException((TtrpcCode)refused.Code, refused.Message, isFatal: false)
                : answer.ParseFrom(response.Payload);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TtrpcException(TtrpcCode.DeadlineExceeded, $"no answer within {limit.TotalSeconds:0.###} s", isFatal: true);
        }
        catch (Exception cause) when (cause is IOException or InvalidProtocolBufferException)
        {
            throw new TtrpcException(TtrpcCode.Unavailable, cause.Message, isFatal: true, cause);
        }
        finally
        {
            _calls.TryRemove(call.Id, out _);
        }
    }

    /// <summary>Ids ascend on the wire, so taking one and sending it are one step.</summary>
    private async Task SendAsync(Request request, PendingCall call)
    {
        using (await _writing.LockAsync())
        {
            call.Id = _lastCall += 2;
            _calls[call.Id] = call;
            if (Volatile.Read(ref _ended) is { } ended)
            {
                throw ended;
            }

            await wire.WriteAsync(call.Id, TtrpcKind.Request, request, CancellationToken.None);
        }
    }

    /// <summary>A call that waits for its answer.</summary>
    private sealed class PendingCall
    {
        /// <summary>Its number, or 0 before it was sent; calls are odd.</summary>
        public uint Id { get; set; }

        /// <summary>What comes.</summary>
        public TaskCompletionSource<Response> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
