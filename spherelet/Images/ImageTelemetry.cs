using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Vks.Spherelet.Images;

/// <summary>Tells of pulls to whoever listens.</summary>
internal static class ImageTelemetry
{
    /// <summary>The name of both the spans' source and the meter.</summary>
    public const string SourceName = "Vks.Spherelet.Images";

    private static readonly ActivitySource s_traces = new(SourceName);
    private static readonly Meter s_meter = new(SourceName);

    private static readonly Histogram<double> s_duration = s_meter.CreateHistogram(
        "vks.image.pull.duration",
        "s",
        "Time of image pulls by outcome, their disks made",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800] });

    private static readonly Counter<long> s_bytes = s_meter.CreateCounter<long>("vks.image.pulled", "By", "Size of the images that were pulled");

    /// <summary>Begins the span of a pull.</summary>
    public static Activity? BeginPull(ImageReference image)
    {
        Activity? span = s_traces.StartActivity("image pull");
        span?.SetTag("vks.image", image.ToString());
        return span;
    }

    /// <summary>Tells of a pull that succeeded.</summary>
    public static void Pulled(Activity? span, TimeSpan took, long bytes)
    {
        s_duration.Record(took.TotalSeconds, Outcome("ok"));
        s_bytes.Add(bytes);
        span?.SetTag("vks.image.bytes", bytes);
    }

    /// <summary>Tells of a pull that failed.</summary>
    public static void Failed(Activity? span, TimeSpan took, Exception cause)
    {
        string fault = cause is ImageException image ? image.Fault.ToString() : cause is OperationCanceledException ? "Cancelled" : "Unknown";
        s_duration.Record(took.TotalSeconds, Outcome(fault));
        span?.SetTag("error.type", fault).SetStatus(ActivityStatusCode.Error, cause.Message);
    }

    private static KeyValuePair<string, object?> Outcome(string text) => new("outcome", text);
}
