using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.ContainerStatusResponse> ContainerStatus(V1.ContainerStatusRequest request, ServerCallContext context)
    {
        Container container = table.FindContainer(request.ContainerId);
        var response = new V1.ContainerStatusResponse { Status = ContainerWriter.Status(container.Record) };
        if (request.Verbose)
        {
            response.Info["info"] = ContainerWriter.Info(container, await containers.DescribeAsync(container, context.CancellationToken));
        }

        return response;
    }
}
