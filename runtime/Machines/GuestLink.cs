using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Guest;
using Vks.Runtime.Host;

namespace Vks.Runtime.Machines;

/// <summary>The agent of one machine, reached through QEMU's socket for the virtio-serial port.</summary>
internal sealed class GuestLink : IAsyncDisposable
{
    private GuestLink(GuestClient client)
    {
        Client = client;
        Closed = DescribeAsync(client);
    }

    /// <summary>Typed calls to the agent.</summary>
    internal GuestClient Client { get; }

    /// <summary>Completes when the channel is of no more use, with why in words. Never fails.</summary>
    internal Task<string> Closed { get; }

    /// <summary>Connects and waits until the agent answers; the token is the only deadline.</summary>
    /// <param name="socketPath">QEMU's socket.</param>
    /// <param name="usedBefore">An earlier daemon may have spoken on it.</param>
    /// <param name="forTemplate">The guest is about to be saved.</param>
    /// <param name="loggers">For the connection.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="GuestException">The guest's end closed, or the versions do not fit.</exception>
    /// <exception cref="HostException">Nobody listens at the path.</exception>
    internal static async Task<GuestLink> OpenAsync(string socketPath, bool usedBefore, bool forTemplate, ILoggerFactory loggers, CancellationToken cancellationToken) =>
        new(await GuestClient.ConnectAsync(
            async token => new NetworkStream(await UnixSocket.ConnectAsync(socketPath, token), ownsSocket: true),
            usedBefore,
            forTemplate,
            loggers.CreateLogger<GuestClient>(),
            cancellationToken));

    /// <summary>Closes the channel; the guest runs on.</summary>
    public ValueTask DisposeAsync() => Client.DisposeAsync();

    private static async Task<string> DescribeAsync(GuestClient client) => (await client.Closed).Message;
}
