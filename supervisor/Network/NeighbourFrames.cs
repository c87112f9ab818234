using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Vks.Supervisor.Network;

/// <summary>Ethernet frames by which hosts learn whose an address is: ARP (RFC 826, 5227) and neighbour discovery (RFC 4861). Pure.</summary>
internal static class NeighbourFrames
{
    private const int EthernetHeader = 14;
    private const int ArpLength = EthernetHeader + 28;
    private const int Ipv6Header = 40;
    private const int NeighbourMessage = 32;
    private const ushort EtherTypeArp = 0x0806;
    private const ushort EtherTypeIpv6 = 0x86DD;
    private const byte IcmpV6 = 58;
    private const byte Solicitation = 135;
    private const byte Advertisement = 136;

    /// <summary>Says to all on the link that an address is at a hardware address: a gratuitous ARP (RFC 5227 2.3), or an unsolicited advertisement (RFC 4861 7.2.6).</summary>
    /// <param name="address">The address.</param>
    /// <param name="hardware">The hardware address of the link.</param>
    public static byte[] Announcement(IPAddress address, PhysicalAddress hardware) =>
        address.AddressFamily == AddressFamily.InterNetwork
            ? Arp(hardware, sender: address.GetAddressBytes(), target: address.GetAddressBytes())
            : Neighbour(Advertisement, hardware, source: address.GetAddressBytes(), destination: IPAddress.Parse("ff02::1").GetAddressBytes(), target: address.GetAddressBytes());

    /// <summary>Asks who has an address, without saying that we had one: an ARP probe (RFC 5227 2.1.1), or a solicitation from no address (RFC 4862 5.4.2).</summary>
    /// <param name="address">The address.</param>
    /// <param name="hardware">The hardware address of the link.</param>
    public static byte[] Probe(IPAddress address, PhysicalAddress hardware)
    {
        byte[] target = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return Arp(hardware, sender: new byte[4], target);
        }

        // The solicited-node group: ff02::1:ff and the address's last three bytes.
        byte[] group = IPAddress.Parse("ff02::1:ff00:0").GetAddressBytes();
        target.AsSpan(13).CopyTo(group.AsSpan(13));
        return Neighbour(Solicitation, hardware, source: new byte[16], group, target);
    }

    /// <summary>Whose frame says that it has an address.</summary>
    /// <param name="frame">Any Ethernet frame.</param>
    /// <param name="address">The address.</param>
    /// <returns>The hardware address of who claims it, or null when the frame does not.</returns>
    public static PhysicalAddress? Claimant(ReadOnlySpan<byte> frame, IPAddress address)
    {
        byte[] wanted = address.GetAddressBytes();
        if (wanted.Length == 4)
        {
            return frame.Length >= ArpLength && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == EtherTypeArp && frame[28..32].SequenceEqual(wanted)
                ? new PhysicalAddress(frame[22..28].ToArray())
                : null;
        }

        return frame.Length >= EthernetHeader + Ipv6Header + 24 && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == EtherTypeIpv6
            && frame[EthernetHeader + 6] == IcmpV6 && frame[EthernetHeader + Ipv6Header] == Advertisement
            && frame.Slice(EthernetHeader + Ipv6Header + 8, 16).SequenceEqual(wanted)
            ? new PhysicalAddress(frame[6..12].ToArray())
            : null;
    }

    private static byte[] Arp(PhysicalAddress hardware, byte[] sender, byte[] target)
    {
        byte[] frame = new byte[ArpLength];
        frame.AsSpan(0, 6).Fill(0xff);
        hardware.GetAddressBytes().CopyTo(frame, 6);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), EtherTypeArp);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(14), 1);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(16), 0x0800);
        frame[18] = 6;
        frame[19] = 4;

        // A request also where it announces: RFC 5227 3 says why, and every host takes what it has about the sender from one.
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(20), 1);
        hardware.GetAddressBytes().CopyTo(frame, 22);
        sender.CopyTo(frame, 28);
        target.CopyTo(frame, 38);
        return frame;
    }

    private static byte[] Neighbour(byte type, PhysicalAddress hardware, byte[] source, byte[] destination, byte[] target)
    {
        // No link-layer option in a solicitation from no address (RFC 4861 4.3).
        int length = type == Advertisement ? NeighbourMessage : NeighbourMessage - 8;
        byte[] frame = new byte[EthernetHeader + Ipv6Header + length];
        frame[0] = frame[1] = 0x33;
        destination.AsSpan(12).CopyTo(frame.AsSpan(2));
        hardware.GetAddressBytes().CopyTo(frame, 6);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), EtherTypeIpv6);
        Span<byte> ip = frame.AsSpan(EthernetHeader);
        ip[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)length);
        ip[6] = IcmpV6;
        ip[7] = 255;
        source.CopyTo(ip[8..]);
        destination.CopyTo(ip[24..]);
        Span<byte> message = ip[Ipv6Header..];
        message[0] = type;
        target.CopyTo(message[8..]);
        if (type == Advertisement)
        {
            // Override: whoever knows another place for the address forgets it.
            message[4] = 0x20;
            message[24] = 2;
            message[25] = 1;
            hardware.GetAddressBytes().CopyTo(message[26..]);
        }

        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum(ip[8..40], message));
        return frame;
    }

    /// <summary>RFC 4443 2.3, over the pseudo-header of RFC 8200 8.1.</summary>
    private static ushort Checksum(ReadOnlySpan<byte> addresses, ReadOnlySpan<byte> message)
    {
        uint sum = (uint)message.Length + IcmpV6 + Sum(addresses) + Sum(message);
        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (var index = 0; index < bytes.Length; index += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[index..]);
        }

        return sum;
    }
}
