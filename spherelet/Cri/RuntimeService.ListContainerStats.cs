using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.ListContainerStatsResponse> ListContainerStats(V1.ListContainerStatsRequest request, ServerCallContext context) =>
        new() { Stats = { await ContainerStatsMatchingAsync(request.Filter, context) } };

    /// <inheritdoc/>
    public override async Task StreamContainerStats(
        V1.StreamContainerStatsRequest request, IServerStreamWriter<V1.StreamContainerStatsResponse> responseStream, ServerCallContext context)
    {
        foreach (IReadOnlyList<V1.ContainerStats> piece in Pieces.Of(await ContainerStatsMatchingAsync(request.Filter, context)))
        {
            await responseStream.WriteAsync(new V1.StreamContainerStatsResponse { ContainerStats = { piece } }, context.CancellationToken);
        }
    }

    /// <summary>Containers that have not ended, in pods that run and answer; only the pods of those that match are asked.</summary>
    private async Task<IEnumerable<V1.ContainerStats>> ContainerStatsMatchingAsync(V1.ContainerStatsFilter? filter, ServerCallContext context)
    {
        Container[] wanted = [.. table.Containers.Values
            .Where(container => container.Record.Phase != ContainerPhase.Exited && container.Sandbox.IsReady && Filters.Matches(filter, container.Record))
            .OrderByDescending(container => container.Record.CreatedUnixNanoseconds)];
        IReadOnlyList<PodReading> readings = await meter.ReadAllAsync(wanted.Select(container => container.Sandbox).Distinct(), Patience(context), context.CancellationToken);
        return wanted.Join(readings, container => container.Sandbox, reading => reading.Sandbox, (container, reading) =>
            StatsWriter.Container(container.Record, reading, layers.Directory));
    }
}
