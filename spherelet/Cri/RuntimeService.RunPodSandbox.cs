using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.RunPodSandboxResponse> RunPodSandbox(V1.RunPodSandboxRequest request, ServerCallContext context)
    {
        PodConfig config = PodConfigReader.Read(request.Config, request.RuntimeHandler);
        if (request.Config.Linux is { Resources: null, CgroupParent.Length: > 0 } linux)
        {
            config = config with { Resources = PodCgroup.Read(linux.CgroupParent) };
        }

        return new() { PodSandboxId = await pods.RunAsync(config, context.CancellationToken) };
    }
}
