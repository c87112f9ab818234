using System.Diagnostics;

namespace Vks.Spherelet.Network;

/// <summary>Spans of what is done to pods' networks.</summary>
internal static class NetworkTelemetry
{
    /// <summary>The name of the spans' source.</summary>
    public const string SourceName = "Vks.Spherelet.Network";

    private static readonly ActivitySource s_traces = new(SourceName);

    /// <summary>Does something within a span.</summary>
    /// <param name="name">The span's name.</param>
    /// <param name="work">What is done.</param>
    public static async Task<T> TraceAsync<T>(string name, Func<Task<T>> work)
    {
        using Activity? span = s_traces.StartActivity(name);
        try
        {
            return await work();
        }
        catch (Exception cause)
        {
            span?.SetStatus(ActivityStatusCode.Error, cause.Message);
            throw;
        }
    }
}
