using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.CreateContainerResponse> CreateContainer(V1.CreateContainerRequest request, ServerCallContext context) => new()
    {
        ContainerId = await containers.CreateAsync(request.PodSandboxId, ContainerConfigReader.Read(request.Config), context.CancellationToken),
    };
}
