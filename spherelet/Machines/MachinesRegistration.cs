using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Vks.Spherelet.Machines;

/// <summary>Wires the machines API into the daemon: a TLS listener of its own. No other service is served there, and this one nowhere else.</summary>
internal static class MachinesRegistration
{
    private const string Prefix = "/vks.machines.v1.Machines/";

    /// <summary>Adds machines that are kept running. They are kept whether the API is served or not.</summary>
    public static void AddKeptMachines(this IServiceCollection services, KeptMachineOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<KeptMachineStore>();
        services.AddSingleton<KeptMachineGuest>();
        services.AddSingleton<KeptMachines>();
        services.AddSingleton<HostReader>();
        services.AddSingleton<MachinesService>();
    }

    /// <summary>Listens.</summary>
    public static void ListenForMachines(this KestrelServerOptions kestrel, IPEndPoint address) => kestrel.Listen(address, static listen =>
    {
        MachinesTls tls = listen.ApplicationServices.GetRequiredService<MachinesTls>();
        tls.Check();
        listen.Protocols = HttpProtocols.Http2;
        listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(tls.Options()) });
        listen.Use(static next => connection =>
        {
            connection.Features.Set(MachinesConnection.Mark);
            return next(connection);
        });
    });

    /// <summary>Parts the listeners: of each connection only the services that belong to it. To be placed before routing.</summary>
    public static void UseMachinesEndpoint(this IApplicationBuilder app) => app.Use(static (context, next) =>
    {
        bool here = context.Features.Get<MachinesConnection>() is not null;
        if (here == context.Request.Path.StartsWithSegments(Prefix.TrimEnd('/'), StringComparison.Ordinal))
        {
            return next(context);
        }

        // As gRPC answers to the name of a service that is not there.
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = ((int)StatusCode.Unimplemented).ToString(System.Globalization.CultureInfo.InvariantCulture);
        context.Response.Headers["grpc-message"] = "Service is unimplemented on this listener.";
        return Task.CompletedTask;
    });

    /// <summary>Maps the service.</summary>
    public static void MapMachines(this WebApplication app) => app.MapGrpcService<MachinesService>();

    /// <summary>Marks a connection of the listener.</summary>
    private sealed class MachinesConnection
    {
        public static MachinesConnection Mark { get; } = new();
    }
}
