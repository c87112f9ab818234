using Google.Protobuf;
using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.ExecSyncResponse> ExecSync(V1.ExecSyncRequest request, ServerCallContext context)
    {
        if (request.Cmd.Count == 0)
        {
            throw new PodException(PodFault.InvalidConfig, request.ContainerId, "cmd is empty; give a program to run.");
        }

        ExecOutcome outcome = await containers.ExecAsync(
            request.ContainerId, request.Cmd, Seconds.Read(request.Timeout, "timeout"), context.CancellationToken);
        return new V1.ExecSyncResponse
        {
            ExitCode = outcome.ExitCode,
            Stdout = UnsafeByteOperations.UnsafeWrap(outcome.Output),
            Stderr = UnsafeByteOperations.UnsafeWrap(outcome.Error),
        };
    }
}
