using System.Diagnostics.Metrics;

namespace Vks.Spherelet.Pods;

/// <summary>What a pool tells of itself to whoever listens.</summary>
internal sealed class PoolTelemetry : IDisposable
{
    /// <summary>The name of its meter.</summary>
    public const string MeterName = "Vks.Spherelet.Pool";

    private static readonly Meter s_meter = new(MeterName);

    private static readonly Counter<long> s_takes = s_meter.CreateCounter<long>("vks.pool.takes", "{pod}", "Pods that asked the pool for a machine, by outcome");
    private static readonly Counter<long> s_dropped = s_meter.CreateCounter<long>("vks.pool.dropped", "{machine}", "Ready machines that no pod took");

    private static readonly Histogram<double> s_refills = s_meter.CreateHistogram(
        "vks.pool.refill.duration",
        "s",
        "Time to make a machine ready, by outcome",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 60] });

    private readonly Meter _gauges = new(MeterName);

    /// <summary>Starts to offer the pool's size.</summary>
    public PoolTelemetry(Func<PoolReport> report)
    {
        _gauges.CreateObservableGauge(
            "vks.pool.machines",
            () => report().Shelves.SelectMany(static shelf => new[]
            {
                new Measurement<int>(shelf.Ready, Tags(shelf, "ready")),
                new Measurement<int>(shelf.Wanted, Tags(shelf, "wanted")),
            }),
            "{machine}",
            "Machines that stand ready, and how many should");
        _gauges.CreateObservableGauge("vks.pool.memory", () => report().Bytes, "By", "Host memory that ready machines had for themselves when they were made ready");
    }

    /// <summary>A pod came.</summary>
    public static void Taken(bool hit) => s_takes.Add(1, new KeyValuePair<string, object?>("outcome", hit ? "hit" : "miss"));

    /// <summary>A machine was made ready, or was not.</summary>
    public static void Refilled(TimeSpan took, bool succeeded) =>
        s_refills.Record(took.TotalSeconds, new KeyValuePair<string, object?>("outcome", succeeded ? "ok" : "failed"));

    /// <summary>A ready machine is ended.</summary>
    public static void Dropped() => s_dropped.Add(1);

    /// <inheritdoc/>
    public void Dispose() => _gauges.Dispose();

    private static KeyValuePair<string, object?>[] Tags(PoolShelf shelf, string state) =>
        [new("vcpus", shelf.Shape.VcpuCount), new("memory_mib", shelf.Shape.MemoryMiB), new("state", state)];
}
