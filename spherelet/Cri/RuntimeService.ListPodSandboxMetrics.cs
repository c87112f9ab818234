using Grpc.Core;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override async Task<V1.ListPodSandboxMetricsResponse> ListPodSandboxMetrics(V1.ListPodSandboxMetricsRequest request, ServerCallContext context) =>
        new() { PodMetrics = { await PodSandboxMetricsAsync(context) } };

    /// <inheritdoc/>
    public override async Task StreamPodSandboxMetrics(
        V1.StreamPodSandboxMetricsRequest request, IServerStreamWriter<V1.StreamPodSandboxMetricsResponse> responseStream, ServerCallContext context)
    {
        foreach (IReadOnlyList<V1.PodSandboxMetrics> piece in Pieces.Of(await PodSandboxMetricsAsync(context)))
        {
            await responseStream.WriteAsync(new V1.StreamPodSandboxMetricsResponse { PodSandboxMetrics = { piece } }, context.CancellationToken);
        }
    }

    private async Task<IEnumerable<V1.PodSandboxMetrics>> PodSandboxMetricsAsync(ServerCallContext context) =>
        (await ReadPodsAsync(static _ => true, context)).Select(Metrics);

    private V1.PodSandboxMetrics Metrics(PodReading reading)
    {
        PodSandbox sandbox = reading.Sandbox;
        HostUsage? host = sandbox.Machine is { } machine ? engine.MeasureHost(machine) : null;
        return new V1.PodSandboxMetrics
        {
            PodSandboxId = sandbox.Id,
            Metrics = { PodMetrics.OfPod(reading, host) },
            ContainerMetrics =
            {
                table.ContainersOf(sandbox.Id)
                    .Where(container => container.Record.Phase == ContainerPhase.Running)
                    .Select(container => new V1.ContainerMetrics { ContainerId = container.Id, Metrics = { PodMetrics.OfContainer(reading, container.Record) } }),
            },
        };
    }
}
