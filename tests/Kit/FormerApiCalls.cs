using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Vks.Tests.Kit;

/// <summary>Makes a client speak <c>runtime.v1alpha2</c>, as kubelets up to 1.25 do.</summary>
internal sealed class FormerApiCalls : Interceptor
{
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, new ClientInterceptorContext<TRequest, TResponse>(Former(context.Method), context.Host, context.Options));

    private static Method<TRequest, TResponse> Former<TRequest, TResponse>(Method<TRequest, TResponse> method) => new(
        method.Type,
        method.ServiceName.Replace("runtime.v1.", "runtime.v1alpha2.", StringComparison.Ordinal),
        method.Name,
        method.RequestMarshaller,
        method.ResponseMarshaller);
}
