using Google.Protobuf;
using Nito.AsyncEx;
using Vks.Spherelet.Nri.Wire;

namespace Vks.Spherelet.Nri;

/// <summary>Answers calls that come on one stream of a trunk.</summary>
internal sealed class TtrpcServer(TtrpcWire wire)
{
    /// <summary>How many calls are answered at once; the next ones wait unread.</summary>
    private const int MostAtOnce = 16;

    private readonly Dictionary<(string Service, string Method), Func<ByteString, CancellationToken, Task<IMessage>>> _methods = [];
    private readonly AsyncSemaphore _slots = new(MostAtOnce);
    private readonly AsyncLock _writing = new();

    /// <summary>Registers a method. To be called before <see cref="RunAsync"/>.</summary>
    /// <param name="service">The service's whole name.</param>
    /// <param name="method">The method's name.</param>
    /// <param name="request">Reads what it is given.</param>
    /// <param name="answer">Answers; a <see cref="TtrpcException"/> is told to the caller as it is.</param>
    public void Register<T>(string service, string method, MessageParser<T> request, Func<T, CancellationToken, Task<IMessage>> answer)
        where T : IMessage<T> =>
        _methods[(service, method)] = (payload, token) => answer(request.ParseFrom(payload), token);

    /// <summary>Answers until the connection ends. Never throws.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await wire.ReadAsync(cancellationToken) is var (header, payload))
            {
                if (header.Kind == TtrpcKind.Request)
                {
                    await _slots.WaitAsync(cancellationToken);
                    _ = AnswerAsync(header.Call, payload, cancellationToken);
                }
            }
        }
        catch (Exception cause) when (cause is IOException or TtrpcException or OperationCanceledException)
        {
            // The connection is over; who calls us learns it from that.
        }
    }

    private async Task AnswerAsync(uint call, byte[] payload, CancellationToken cancellationToken)
    {
        try
        {
            Response response = await AnswerAsync(payload, cancellationToken);
            using (await _writing.LockAsync(cancellationToken))
            {
                await wire.WriteAsync(call, TtrpcKind.Response, response, cancellationToken);
            }
        }
        catch (Exception cause) when (cause is IOException or TtrpcException or OperationCanceledException)
        {
            // Nobody is there any more to be answered.
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task<Response> AnswerAsync(byte[] payload, CancellationToken cancellationToken)
    {
        try
        {
            var request = Request.Parser.ParseFrom(payload);
            IMessage answer = _methods.TryGetValue((request.Service, request.Method), out Func<ByteString, CancellationToken, Task<IMessage>>? method)
                ? await method(request.Payload, cancellationToken)
                : throw new TtrpcException(TtrpcCode.Unimplemented, $"{request.Service}/{request.Method} is not implemented by this runtime", isFatal: false);
            return new Response { Status = new Status(), Payload = answer.ToByteString() };
        }
        catch (TtrpcException cause)
        {
            return Failed(cause.Code, cause.Message);
        }
        catch (InvalidProtocolBufferException cause)
        {
            return Failed(TtrpcCode.InvalidArgument, $"the request could not be read: {cause.Message}");
        }
    }

    private static Response Failed(TtrpcCode code, string message) => new() { Status = new Status { Code = (int)code, Message = message } };
}
