using Grpc.Core;
using Vks.Spherelet.Pods;
using Vks.Spherelet.Streaming;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.PortForwardResponse> PortForward(V1.PortForwardRequest request, ServerCallContext context)
    {
        foreach (int wrong in request.Port.Where(static port => port is < 1 or > 65535))
        {
            throw new PodException(PodFault.InvalidConfig, request.PodSandboxId, $"{wrong} is no port: 1 to 65535 are expected.");
        }

        if (request.Port.Count > WebSocketPortForward.MaxPorts)
        {
            throw new PodException(
                PodFault.InvalidConfig, request.PodSandboxId, $"{request.Port.Count} ports are too many for one session; {WebSocketPortForward.MaxPorts} are the most.");
        }

        PodSandbox sandbox = table.FindPod(request.PodSandboxId);
        if (!sandbox.IsReady)
        {
            throw new PodException(PodFault.WrongState, sandbox.Id, $"Pod sandbox {sandbox.Id} is not ready: {sandbox.DownReason()}.");
        }

        return Task.FromResult(new V1.PortForwardResponse
        {
            Url = UrlOf(new PortForwardStreamRequest { PodId = sandbox.Id, Ports = [.. request.Port] }),
        });
    }
}
