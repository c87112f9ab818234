using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.RemovePodSandboxResponse> RemovePodSandbox(V1.RemovePodSandboxRequest request, ServerCallContext context)
    {
        await pods.RemoveAsync(request.PodSandboxId, context.CancellationToken);
        return new V1.RemovePodSandboxResponse();
    }
}
