using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.PodSandboxStatusResponse> PodSandboxStatus(V1.PodSandboxStatusRequest request, ServerCallContext context)
    {
        PodSandbox sandbox = table.FindPod(request.PodSandboxId);

        // The time comes first: what is read after it is at least as new, and a kubelet that listens to events drops what is older.
        var response = new V1.PodSandboxStatusResponse { Timestamp = UnixTime.Nanoseconds(time.GetUtcNow()) };
        response.Status = PodWriter.Status(sandbox);
        response.ContainersStatuses.Add(table.ContainersOf(sandbox.Id).Select(container => ContainerWriter.Status(container.Record)));
        if (request.Verbose)
        {
            response.Info["info"] = PodWriter.Info(sandbox);
        }

        return Task.FromResult(response);
    }
}
