using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Vks.Spherelet.Streaming;

/// <summary>Wires the streaming server into the daemon: a TCP listener of its own, beside the socket of the CRI server.</summary>
internal static class StreamingRegistration
{
    /// <summary>Adds the server's parts. Pods are wired elsewhere.</summary>
    public static IServiceCollection AddStreaming(this IServiceCollection services, StreamingOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<StreamingTokens>();
        services.AddSingleton<StreamingUrls>();
        services.AddSingleton<StreamingServer>();
        return services;
    }

    /// <summary>Listens.</summary>
    public static void ListenForStreaming(this KestrelServerOptions kestrel, StreamingOptions options)
    {
        // A session may be silent or slow for hours; its own limit is the idle timeout.
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Listen(new IPEndPoint(options.Address, options.Port), static listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(static next => connection =>
            {
                connection.Features.Set(StreamingConnection.Mark);
                return next(connection);
            });
        });
    }

    /// <summary>Takes every request that came over TCP; none of them ever reaches the CRI services.</summary>
    public static void UseStreaming(this IApplicationBuilder app) => app.MapWhen(
        static context => context.Features.Get<StreamingConnection>() is not null,
        static branch =>
        {
            branch.UseWebSockets();
            branch.Run(branch.ApplicationServices.GetRequiredService<StreamingServer>().HandleAsync);
        });

    /// <summary>Marks a connection of the TCP listener.</summary>
    private sealed class StreamingConnection
    {
        public static StreamingConnection Mark { get; } = new();
    }
}
