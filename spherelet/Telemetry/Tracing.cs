using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Vks.Runtime.Guest;
using Vks.Runtime.Machines;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Telemetry;

/// <summary>Sends spans to a collector: CRI call, network, machine, QEMU's monitor, agent, in one trace with the kubelet's.</summary>
internal static class Tracing
{
    private const double Million = 1_000_000;

    /// <summary>Adds the export. Without this call no span is made.</summary>
    /// <param name="services">Where.</param>
    /// <param name="options">Collector and sampling rate.</param>
    public static void AddTracing(this IServiceCollection services, SphereletOptions options) => services.AddOpenTelemetry()
        .ConfigureResource(static resource => resource.AddService("spherelet", serviceVersion: CommandLine.Version, serviceInstanceId: Environment.MachineName))
        .WithTracing(traces => traces
            .AddSource(CriTelemetry.SourceName, NetworkTelemetry.SourceName, ImageTelemetry.SourceName, MachineTelemetry.SourceName, MachineTelemetry.MonitorSourceName, GuestClient.SourceName)
            .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(options.TracingSamplingRatePerMillion / Million)))
            .AddOtlpExporter(exporter =>
            {
                exporter.Protocol = OtlpExportProtocol.Grpc;
                exporter.Endpoint = Endpoint(options.TracingEndpoint!);
            }));

    /// <summary><c>host:port</c> without TLS, as a kubelet's setting has it, or a whole URL.</summary>
    public static Uri Endpoint(string text) => new(text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text);
}
