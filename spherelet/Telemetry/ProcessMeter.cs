using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Vks.Spherelet.Telemetry;

/// <summary>What the daemon itself takes of the host, by the names that Prometheus clients give it.</summary>
internal sealed class ProcessMeter : IDisposable
{
    /// <summary>Its name.</summary>
    public const string MeterName = "Vks.Spherelet.Process";

    private readonly Meter _meter = new(MeterName);

    /// <summary>Starts to offer the figures.</summary>
    public ProcessMeter()
    {
        _meter.CreateObservableGauge("process.resident.memory", static () => Environment.WorkingSet, "By", "Memory of the daemon");
        _meter.CreateObservableCounter("process.cpu", static () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "CPU time of the daemon");
        _meter.CreateObservableGauge("process.threads", static () => Directory.GetDirectories("/proc/self/task").Length, null, "Threads of the daemon");
        _meter.CreateObservableGauge("process.open.fds", static () => Directory.GetFileSystemEntries("/proc/self/fd").Length, null, "Descriptors the daemon has open");
        double started = StartedUnixSeconds();
        _meter.CreateObservableGauge("process.start.time", () => started, "s", "When the daemon started, since 1970-01-01 UTC");
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private static double StartedUnixSeconds()
    {
        using var self = Process.GetCurrentProcess();
        return (self.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds;
    }
}
