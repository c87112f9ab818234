using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.PodSandboxStatsResponse> PodSandboxStats(V1.PodSandboxStatsRequest request, ServerCallContext context) =>
        new() { Stats = PodStats(await meter.ReadAsync(table.FindPod(request.PodSandboxId), Patience(context), context.CancellationToken)) };

    /// <summary>How long guests may take: an answer without some of them is of use only while the caller waits for it. crictl gives a call 2 s.</summary>
    private TimeSpan Patience(ServerCallContext context)
    {
        TimeSpan left = context.Deadline == DateTime.MaxValue ? TimeSpan.MaxValue : (context.Deadline - time.GetUtcNow().UtcDateTime) * 0.75;
        return left > PodMeter.AnswerLimit ? PodMeter.AnswerLimit : left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private V1.PodSandboxStats PodStats(PodReading reading) =>
        StatsWriter.Pod(reading, table.ContainersOf(reading.Sandbox.Id).Select(container => container.Record), layers.Directory);
}
