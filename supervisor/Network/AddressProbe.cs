using System.Net;
using System.Net.NetworkInformation;

namespace Vks.Supervisor.Network;

/// <summary>Finds out whether somebody on a link has an address already.</summary>
internal static class AddressProbe
{
    private const int Probes = 3;

    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(300);

    /// <summary>Asks three times, and waits a little after each.</summary>
    /// <param name="link">The link.</param>
    /// <param name="addresses">The addresses, of either family.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <returns>Each address that somebody has, and the hardware address of who.</returns>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: the link is not there.</exception>
    public static async Task<IReadOnlyDictionary<IPAddress, PhysicalAddress>> FindAsync(
        string link, IReadOnlyList<IPAddress> addresses, TimeProvider time, CancellationToken cancellationToken)
    {
        using PacketSocket socket = PacketSocket.Open(link, receive: true);
        Dictionary<IPAddress, PhysicalAddress> found = [];
        using CancellationTokenSource listening = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task listener = ListenAsync(socket, addresses, found, listening.Token);
        for (var round = 0; round < Probes; round++)
        {
            foreach (IPAddress address in addresses)
            {
                socket.Send(NeighbourFrames.Probe(address, socket.Hardware));
            }

            await Task.Delay(s_between, time, cancellationToken);
        }

        await listening.CancelAsync();
        await listener;
        return found;
    }

    private static async Task ListenAsync(PacketSocket socket, IReadOnlyList<IPAddress> addresses, Dictionary<IPAddress, PhysicalAddress> found, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[2048];
        while (true)
        {
            int length;
            try
            {
                length = await socket.ReceiveAsync(buffer, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            foreach (IPAddress address in addresses)
            {
                if (NeighbourFrames.Claimant(buffer.AsSpan(0, length), address) is { } who && !who.Equals(socket.Hardware))
                {
                    found[address] = who;
                }
            }
        }
    }
}
