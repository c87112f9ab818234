using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.StopPodSandboxResponse> StopPodSandbox(V1.StopPodSandboxRequest request, ServerCallContext context)
    {
        await pods.StopAsync(request.PodSandboxId, context.CancellationToken);
        return new V1.StopPodSandboxResponse();
    }
}
