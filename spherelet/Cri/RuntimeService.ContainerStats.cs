using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.ContainerStatsResponse> ContainerStats(V1.ContainerStatsRequest request, ServerCallContext context)
    {
        Container container = table.FindContainer(request.ContainerId);

        // What has ended uses nothing; that it is known is no error.
        PodReading? reading = container is { Record.Phase: not ContainerPhase.Exited, Sandbox.IsReady: true }
            ? await meter.ReadAsync(container.Sandbox, Patience(context), context.CancellationToken)
            : null;
        return new V1.ContainerStatsResponse { Stats = StatsWriter.Container(container.Record, reading, layers.Directory) };
    }
}
