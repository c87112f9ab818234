using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.ListPodSandboxStatsResponse> ListPodSandboxStats(V1.ListPodSandboxStatsRequest request, ServerCallContext context) =>
        new() { Stats = { await PodStatsMatchingAsync(request.Filter, context) } };

    /// <inheritdoc/>
    public override async Task StreamPodSandboxStats(
        V1.StreamPodSandboxStatsRequest request, IServerStreamWriter<V1.StreamPodSandboxStatsResponse> responseStream, ServerCallContext context)
    {
        foreach (IReadOnlyList<V1.PodSandboxStats> piece in Pieces.Of(await PodStatsMatchingAsync(request.Filter, context)))
        {
            await responseStream.WriteAsync(new V1.StreamPodSandboxStatsResponse { PodSandboxStats = { piece } }, context.CancellationToken);
        }
    }

    private async Task<IEnumerable<V1.PodSandboxStats>> PodStatsMatchingAsync(V1.PodSandboxStatsFilter? filter, ServerCallContext context) =>
        (await ReadPodsAsync(sandbox => Filters.Matches(filter, sandbox.Record), context)).Select(PodStats);

    /// <summary>Pods that run and answer, the newest first.</summary>
    private Task<IReadOnlyList<PodReading>> ReadPodsAsync(Func<PodSandbox, bool> wanted, ServerCallContext context) => meter.ReadAllAsync(
        table.Pods.Values.Where(sandbox => sandbox.IsReady && wanted(sandbox)).OrderByDescending(sandbox => sandbox.Record.CreatedUnixNanoseconds),
        Patience(context),
        context.CancellationToken);
}
