using System.Diagnostics;
using System.Diagnostics.Metrics;
using Grpc.Core;

namespace Vks.Spherelet.Cri;

/// <summary>Tells of every CRI call to whoever listens: a span, and how long it took.</summary>
internal static class CriTelemetry
{
    /// <summary>The name of both the spans' source and the meter.</summary>
    public const string SourceName = "Vks.Spherelet.Cri";

    private const string TraceParent = "traceparent";
    private const string TraceState = "tracestate";

    private static readonly ActivitySource s_traces = new(SourceName);
    private static readonly Meter s_meter = new(SourceName);

    private static readonly Histogram<double> s_duration = s_meter.CreateHistogram(
        "vks.cri.call.duration",
        "s",
        "Time of CRI calls by method and status code",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] });

    /// <summary>Begins the span of a call, as a child of the caller's if it told of one (W3C Trace Context).</summary>
    /// <param name="context">The call.</param>
    /// <param name="method">Its name alone.</param>
    public static Activity? Begin(ServerCallContext context, string method)
    {
        if (!s_traces.HasListeners())
        {
            return null;
        }

        // Not the span of the HTTP request, which nobody exports: the chain to the caller would break.
        _ = ActivityContext.TryParse(context.RequestHeaders.GetValue(TraceParent), context.RequestHeaders.GetValue(TraceState), isRemote: true, out ActivityContext caller);
        string name = context.Method.TrimStart('/');
        Activity? present = Activity.Current;
        Activity.Current = null;
        Activity? span = s_traces.StartActivity(name, ActivityKind.Server, caller);
        if (span is null)
        {
            Activity.Current = present;
            return null;
        }

        return span.SetTag("rpc.system", "grpc").SetTag("rpc.service", name[..^(method.Length + 1)]).SetTag("rpc.method", method);
    }

    /// <summary>Tells of a call that has ended.</summary>
    /// <param name="span">Its span, which the caller disposes.</param>
    /// <param name="method">Its name alone.</param>
    /// <param name="status">How it ended.</param>
    /// <param name="took">Its time.</param>
    public static void End(Activity? span, string method, Status status, TimeSpan took)
    {
        s_duration.Record(
            took.TotalSeconds,
            new KeyValuePair<string, object?>("method", method),
            new KeyValuePair<string, object?>("code", status.StatusCode.ToString()));
        span?.SetTag("rpc.grpc.status_code", (int)status.StatusCode);
        if (status.StatusCode != StatusCode.OK)
        {
            span?.SetStatus(ActivityStatusCode.Error, status.Detail);
        }
    }
}
