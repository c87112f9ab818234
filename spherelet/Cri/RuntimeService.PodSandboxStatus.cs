using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.PodSandboxStatusResponse> PodSandboxStatus(V1.PodSandboxStatusRequest request, ServerCallContext context)
    {
        PodSandbox sandbox = table.FindPod(request.PodSandboxId);
        var response = new V1.PodSandboxStatusResponse { Status = PodWriter.Status(sandbox) };
        if (request.Verbose)
        {
            response.Info["info"] = PodWriter.Info(sandbox);
        }

        return Task.FromResult(response);
    }
}
