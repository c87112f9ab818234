using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.StopContainerResponse> StopContainer(V1.StopContainerRequest request, ServerCallContext context)
    {
        await containers.StopAsync(request.ContainerId, Seconds.Read(request.Timeout, "timeout"), context.CancellationToken);
        return new V1.StopContainerResponse();
    }
}
