using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Vks.Supervisor.Network;

/// <summary>A link seen as what it is: Ethernet frames in and out (packet(7)).</summary>
/// <remarks>Chosen over arping and ndsend: two programs of the former name take different arguments, the latter is for IPv6 alone, and each would be one more thing to install.</remarks>
internal sealed class PacketSocket : IDisposable
{
    private readonly Socket _socket;

    private PacketSocket(Socket socket, PhysicalAddress hardware)
    {
        _socket = socket;
        Hardware = hardware;
    }

    /// <summary>The link's hardware address.</summary>
    public PhysicalAddress Hardware { get; }

    /// <summary>Opens a link.</summary>
    /// <param name="link">Its name.</param>
    /// <param name="receive">Whether frames are to be received: all that the link sees.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: no such link, or we may not.</exception>
    public static PacketSocket Open(string link, bool receive)
    {
        NetworkInterface found = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(known => known.Name == link)
            ?? throw new SupervisorException(SupervisorFault.Host, $"there is no link {link} on this host");
        IPInterfaceProperties properties = found.GetIPProperties();
        int index = properties.GetIPv4Properties()?.Index ?? properties.GetIPv6Properties().Index;
        Socket? socket = null;
        try
        {
            // Nothing is received before bind(2) says from where, because the protocol is none.
            socket = new Socket(AddressFamily.Packet, SocketType.Raw, 0);
            socket.Bind(new LinkEndPoint(index, receive ? LinkEndPoint.AllProtocols : (ushort)0));
            return new PacketSocket(socket, found.GetPhysicalAddress());
        }
        catch (SocketException problem)
        {
            socket?.Dispose();
            throw new SupervisorException(SupervisorFault.Host, $"opening link {link} for raw frames: {problem.Message}. It takes root, or CAP_NET_RAW", problem);
        }
    }

    /// <summary>Sends one frame.</summary>
    /// <param name="frame">All of it, from the destination's hardware address on.</param>
    /// <exception cref="SocketException">The link is down.</exception>
    public void Send(ReadOnlySpan<byte> frame) => _socket.Send(frame);

    /// <summary>Receives one frame.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Its length.</returns>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _socket.ReceiveAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    /// <summary>struct sockaddr_ll of packet(7), of which bind(2) reads protocol and link.</summary>
    private sealed class LinkEndPoint(int index, ushort protocol) : EndPoint
    {
        public const ushort AllProtocols = 3;
        private const int Length = 20;

        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize()
        {
            SocketAddress address = new(AddressFamily.Packet, Length);
            BinaryPrimitives.WriteUInt16BigEndian(address.Buffer.Span[2..], protocol);
            BinaryPrimitives.WriteInt32LittleEndian(address.Buffer.Span[4..], index);
            return address;
        }
    }
}
