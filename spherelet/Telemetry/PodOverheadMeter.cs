using System.Diagnostics.Metrics;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Telemetry;

/// <summary>What the machines of pods take of the host beside what runs in them, looked at once for each scrape.</summary>
internal sealed class PodOverheadMeter : IDisposable
{
    /// <summary>Its name.</summary>
    public const string MeterName = "Vks.Spherelet.Pods";

    private static readonly bool[] s_readiness = [true, false];

    private readonly PodTable _table;
    private readonly PodCostReader _reader;
    private readonly Meter _meter = new(MeterName);
    private IReadOnlyList<PodCost> _latest = [];

    /// <summary>Starts to offer the figures.</summary>
    public PodOverheadMeter(PodTable table, PodCostReader reader)
    {
        (_table, _reader) = (table, reader);
        Offer("vks.pod.machine.memory.pss", "By", "Host memory of the pod's QEMU with the guest, shared pages in proportion", static pod => pod.Host.ProportionalBytes);
        Offer("vks.pod.machine.memory.rss", "By", "The same, shared pages counted whole", static pod => pod.Host.ResidentBytes);
        Offer("vks.pod.machine.memory.cgroup", "By", "Host memory on account of the machine's control group", static pod => pod.Host.GroupMemoryBytes);
        Offer("vks.pod.machine.memory.overhead", "By", "Host memory beyond what the pod's containers use", static pod => pod.OverheadBytes);
        _meter.CreateObservableCounter(
            "vks.pod.machine.cpu", () => _latest.Select(static pod => new Measurement<double>(pod.Host.CpuTime.TotalSeconds, Tags(pod.Sandbox))), "s", "CPU time of the host used by the pod's QEMU, the guest's included");
        _meter.CreateObservableGauge(
            "vks.pod.machine.clock.offset",
            () => from pod in _table.Pods.Values
                  where pod.IsReady && pod.Machine?.ClockOffset is not null
                  select new Measurement<double>(pod.Machine!.ClockOffset!.Value.TotalSeconds, Tags(pod)),
            "s",
            "How far the pod's clock was ahead of the host's when it was last looked at, before it was put right");
        _meter.CreateObservableGauge(
            "vks.pods",
            () => s_readiness.Select(ready => new Measurement<int>(
                _table.Pods.Values.Count(pod => pod.IsReady == ready), new KeyValuePair<string, object?>("state", ready ? "Ready" : "NotReady"))),
            null,
            "Pod sandboxes by state");
        _meter.CreateObservableGauge(
            "vks.containers",
            () => Enum.GetValues<ContainerPhase>().Select(phase => new Measurement<int>(
                _table.Containers.Values.Count(container => container.Record.Phase == phase), new KeyValuePair<string, object?>("state", phase.ToString()))),
            null,
            "Containers by state");
    }

    /// <summary>Looks anew.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken) => _latest = await _reader.ReadAllAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private void Offer(string name, string unit, string help, Func<PodCost, long?> read) => _meter.CreateObservableGauge(
        name, () => _latest.Where(pod => read(pod) is not null).Select(pod => new Measurement<long>(read(pod)!.Value, Tags(pod.Sandbox))), unit, help);

    private static KeyValuePair<string, object?>[] Tags(PodSandbox sandbox) =>
    [
        new("namespace", sandbox.Record.Config.Name.Namespace),
        new("pod", sandbox.Record.Config.Name.Name),
        new("id", sandbox.Id),
    ];
}
