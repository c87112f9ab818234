using System.Diagnostics;
using System.Diagnostics.Metrics;
using Vks.Runtime.Clocks;
using Vks.Runtime.Qmp;

namespace Vks.Runtime.Machines;

/// <summary>What machines tell of themselves to whoever listens: spans and counters. Without a listener they cost next to nothing.</summary>
public static class MachineTelemetry
{
    /// <summary>The name of both the spans' source and the meter.</summary>
    public const string SourceName = "Vks.Runtime.Machines";

    /// <summary>The name of the source of spans of QEMU's monitor, one a command, if it is part of a trace.</summary>
    public const string MonitorSourceName = QmpConnection.SourceName;

    private static readonly ActivitySource s_traces = new(SourceName);
    private static readonly Meter s_meter = new(SourceName);

    private static readonly Histogram<double> s_startDuration = s_meter.CreateHistogram(
        "vks.machine.start.duration",
        "s",
        "Time from the request to an agent that answers",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 60] });

    private static readonly Histogram<double> s_stageDuration = s_meter.CreateHistogram(
        "vks.machine.start.stage.duration",
        "s",
        "Time of one stage of a start",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20] });

    private static readonly Counter<long> s_failures = s_meter.CreateCounter<long>("vks.machine.start.failures", "{start}", "Starts that failed, by fault");

    private static readonly Counter<long> s_clockChanges = s_meter.CreateCounter<long>("vks.machine.clock.corrections", "{correction}", "Changes of guests' clocks, slow ones and those at once");

    private static readonly Histogram<double> s_clockOffset = s_meter.CreateHistogram(
        "vks.machine.clock.offset",
        "s",
        "How far guests' clocks were off when they were looked at",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.128, 1, 10, 60, 3600] });

    /// <summary>Tells of a look at a guest's clock.</summary>
    internal static void ClockLookedAt(ClockLook look)
    {
        s_clockOffset.Record(look.Found.Offset.Duration().TotalSeconds);
        if (look.Done is { } done)
        {
            s_clockChanges.Add(1, new KeyValuePair<string, object?>("how", done.Slowly ? "slowly" : "at once"));
        }
    }

    /// <summary>Begins the span of a start.</summary>
    internal static Activity? BeginStart(MachineSpec spec)
    {
        Activity? span = s_traces.StartActivity("machine start");
        span?.SetTag("vks.machine.id", spec.Id.Value).SetTag("vks.machine.vcpus", spec.VcpuCount).SetTag("vks.machine.memory_mib", spec.MemoryMiB);
        return span;
    }

    /// <summary>Tells of a start that came to its end.</summary>
    /// <param name="span">Its span, which goes on.</param>
    /// <param name="took">All of it.</param>
    /// <param name="run">What came of it.</param>
    internal static void Started(Activity? span, TimeSpan took, IMachineRun run)
    {
        s_startDuration.Record(took.TotalSeconds);
        foreach (StageTime stage in run.Stages)
        {
            s_stageDuration.Record(stage.Elapsed.TotalSeconds, new KeyValuePair<string, object?>("stage", stage.Name));
        }

        if (span is { IsAllDataRequested: true })
        {
            span.SetTag("process.pid", run.QemuPid);
            AddStages(span, took, run.Stages);
        }
    }

    /// <summary>Tells of a start that failed.</summary>
    internal static void StartFailed(Activity? span, Exception cause)
    {
        string fault = cause is MachineException machine ? machine.Fault.ToString() : cause is OperationCanceledException ? "Cancelled" : "Unknown";
        s_failures.Add(1, new KeyValuePair<string, object?>("fault", fault));
        span?.SetTag("error.type", fault).SetStatus(ActivityStatusCode.Error, cause.Message);
    }

    /// <summary>The stages are known when they are over; they are the last thing a start does, one after the other.</summary>
    private static void AddStages(Activity span, TimeSpan took, IReadOnlyList<StageTime> stages)
    {
        TimeSpan all = stages.Aggregate(TimeSpan.Zero, static (sum, stage) => sum + stage.Elapsed);
        DateTimeOffset at = span.StartTimeUtc + (took > all ? took - all : TimeSpan.Zero);
        foreach (StageTime stage in stages)
        {
            using Activity? part = s_traces.StartActivity("stage " + stage.Name, ActivityKind.Internal, span.Context, startTime: at);
            at += stage.Elapsed;
            part?.SetEndTime(at.UtcDateTime);
        }
    }
}
