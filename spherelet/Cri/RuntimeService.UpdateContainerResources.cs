using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.UpdateContainerResourcesResponse> UpdateContainerResources(
        V1.UpdateContainerResourcesRequest request, ServerCallContext context)
    {
        if (request.Windows is not null)
        {
            throw new PodException(PodFault.InvalidConfig, request.ContainerId, "windows is set; a machine's guest is Linux, set linux.");
        }

        await containers.UpdateAsync(
            request.ContainerId, ResourceConversion.ReadChange(request.Linux), ResourceConversion.ReadOomScore(request.Linux), context.CancellationToken);
        return new V1.UpdateContainerResourcesResponse();
    }
}
