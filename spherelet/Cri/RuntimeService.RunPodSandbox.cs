using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.RunPodSandboxResponse> RunPodSandbox(V1.RunPodSandboxRequest request, ServerCallContext context) =>
        new() { PodSandboxId = await pods.RunAsync(PodConfigReader.Read(request.Config, request.RuntimeHandler), context.CancellationToken) };
}
