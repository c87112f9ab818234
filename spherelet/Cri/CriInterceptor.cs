using System.Diagnostics;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Vks.Spherelet.Cri;

/// <summary>Around every CRI call: logs, measures and traces it, and turns what it throws into a status.</summary>
internal sealed partial class CriInterceptor(TimeProvider time, ILogger<CriInterceptor> logger) : Interceptor
{
    /// <inheritdoc/>
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, () => continuation(request, context));

    /// <inheritdoc/>
    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(context, async () =>
        {
            await continuation(request, responseStream, context);
            return true;
        });

    private async Task<T> GuardAsync<T>(ServerCallContext context, Func<Task<T>> call)
    {
        BrokenRequests.MarkRead(context);
        long start = time.GetTimestamp();
        string method = context.Method[(context.Method.LastIndexOf('/') + 1)..];
        using Activity? span = CriTelemetry.Begin(context, method);
        try
        {
            T result = await call();
            TimeSpan took = time.GetElapsedTime(start);
            CriTelemetry.End(span, method, Status.DefaultSuccess, took);
            CallAnswered(method, took.TotalMilliseconds);
            return result;
        }
        catch (Exception cause)
        {
            Status status = Worded(CriStatus.From(cause, context.CancellationToken.IsCancellationRequested), method);
            TimeSpan took = time.GetElapsedTime(start);
            CriTelemetry.End(span, method, status, took);
            Log(method, status, took.TotalMilliseconds, cause);
            throw new RpcException(status);
        }
    }

    /// <summary>What the generated base class answers to a call that has no file here is without words.</summary>
    private static Status Worded(Status status, string method) => status is { StatusCode: StatusCode.Unimplemented, Detail: "" }
        ? new Status(StatusCode.Unimplemented, $"{method} is not implemented by this runtime.")
        : status;

    /// <summary>A caller's mistake is one line; a fault of ours comes with its stack.</summary>
    private void Log(string method, Status status, double milliseconds, Exception cause)
    {
        if (status.StatusCode is StatusCode.Internal or StatusCode.Unknown)
        {
            CallFailed(method, milliseconds, status.Detail, cause);
        }
        else if (status.StatusCode != StatusCode.Unimplemented)
        {
            CallRefused(method, status.StatusCode, milliseconds, status.Detail);
        }

        Debug.Assert(status.StatusCode != StatusCode.OK, "an exception is never a success");
    }

    [LoggerMessage(3001, LogLevel.Debug, "{Method} answered in {Milliseconds:0.0} ms")]
    private partial void CallAnswered(string method, double milliseconds);

    [LoggerMessage(3002, LogLevel.Warning, "{Method} answered {Code} after {Milliseconds:0.0} ms: {Detail}")]
    private partial void CallRefused(string method, StatusCode code, double milliseconds, string detail);

    [LoggerMessage(3003, LogLevel.Error, "{Method} failed after {Milliseconds:0.0} ms: {Detail}")]
    private partial void CallFailed(string method, double milliseconds, string detail, Exception cause);
}
