using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.UpdatePodSandboxResourcesResponse> UpdatePodSandboxResources(
        V1.UpdatePodSandboxResourcesRequest request, ServerCallContext context)
    {
        await pods.UpdateAsync(
            request.PodSandboxId,
            ResourceConversion.ReadChange(request.Resources),
            ResourceConversion.ReadChange(request.Overhead),
            context.CancellationToken);
        return new V1.UpdatePodSandboxResourcesResponse();
    }
}
