using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry.Metrics;
using Vks.Runtime.Machines;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Telemetry;

/// <summary>Serves the daemon's metrics to Prometheus: <c>GET /metrics</c> on a TCP listener of its own.</summary>
internal static class MetricsEndpoint
{
    /// <summary>Adds its parts. Without this call nothing measures.</summary>
    public static void AddMetricsEndpoint(this IServiceCollection services)
    {
        services.AddSingleton<ProcessMeter>();
        services.AddSingleton<PodOverheadMeter>();
        services.AddOpenTelemetry().WithMetrics(static metrics => metrics
            .AddMeter(CriTelemetry.SourceName, ImageTelemetry.SourceName, MachineTelemetry.SourceName, ProcessMeter.MeterName, PodOverheadMeter.MeterName, PoolTelemetry.MeterName, "System.Runtime")
            .AddPrometheusExporter());
    }

    /// <summary>Listens.</summary>
    public static void ListenForMetrics(this KestrelServerOptions kestrel, IPEndPoint address) => kestrel.Listen(address, static listen =>
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(static next => connection =>
        {
            connection.Features.Set(MetricsConnection.Mark);
            return next(connection);
        });
    });

    /// <summary>Takes every request that came over that listener; none of them ever reaches another service.</summary>
    public static void UseMetricsEndpoint(this IApplicationBuilder app)
    {
        // Gauges are offered from the moment their owners exist.
        _ = app.ApplicationServices.GetRequiredService<ProcessMeter>();
        PodOverheadMeter overhead = app.ApplicationServices.GetRequiredService<PodOverheadMeter>();
        app.MapWhen(
            static context => context.Features.Get<MetricsConnection>() is not null,
            branch =>
            {
                branch.Use(async (context, next) =>
                {
                    await overhead.RefreshAsync(context.RequestAborted);
                    await next(context);
                });
                branch.UseOpenTelemetryPrometheusScrapingEndpoint();
                branch.Run(static context =>
                {
                    context.Response.StatusCode = StatusCodes.Status404NotFound;
                    return Task.CompletedTask;
                });
            });
    }

    /// <summary>Marks a connection of the listener.</summary>
    private sealed class MetricsConnection
    {
        public static MetricsConnection Mark { get; } = new();
    }
}
