using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Globalization;

namespace Vks.Agent.Network;

/// <summary>The rtnetlink requests the agent makes. Pure: numbers and text in, messages out.</summary>
internal static class LinkMessages
{
    private const ushort NewLink = 16, NewAddress = 20, DeleteAddress = 21, NewRoute = 24, Create = 0x400, Replace = 0x100;
    private const byte MainTable = 254, BootProtocol = 3, UniverseScope = 0, LinkScope = 253, Unicast = 1;
    private const uint Up = 1;

    /// <summary>Sets name, MTU or MAC of a link that is down. Null and 0 leave a value as it is.</summary>
    internal static NetlinkMessage Change(int index, string? name, int mtu, byte[]? mac)
    {
        var message = new NetlinkMessage(NewLink, 0, LinkBody(index, 0, 0));
        if (name is not null)
        {
            message.Add(3, name);
        }

        if (mtu > 0)
        {
            message.Add(4, (uint)mtu);
        }

        if (mac is not null)
        {
            message.Add(1, mac);
        }

        return message;
    }

    /// <summary>Brings a link up or down.</summary>
    internal static NetlinkMessage SetUp(int index, bool up) => new(NewLink, 0, LinkBody(index, up ? Up : 0, Up));

    /// <summary>Adds an address with prefix to a link. IPv6 addresses skip duplicate detection: the host's IPAM vouches for them.</summary>
    internal static NetlinkMessage Address(int index, string cidr)
    {
        const byte NoDuplicateDetection = 2;
        (IPAddress address, int prefix) = ParseCidr(cidr);
        bool v6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        Span<byte> body = stackalloc byte[8];
        body[0] = Family(address);
        body[1] = (byte)prefix;
        body[2] = v6 ? NoDuplicateDetection : (byte)0;
        body[3] = UniverseScope;
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        byte[] bytes = address.GetAddressBytes();
        var message = new NetlinkMessage(NewAddress, Create | Replace, body).Add(2, bytes).Add(1, bytes);
        if (!v6 && prefix < 31)
        {
            uint host = BinaryPrimitives.ReadUInt32BigEndian(bytes) | (uint.MaxValue >> prefix);
            var broadcast = new byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(broadcast, host);
            message.Add(4, broadcast);
        }

        return message;
    }

    /// <summary>Takes an address with prefix from a link.</summary>
    internal static NetlinkMessage Withdraw(int index, string cidr)
    {
        (IPAddress address, int prefix) = ParseCidr(cidr);
        Span<byte> body = stackalloc byte[8];
        body.Clear();
        body[0] = Family(address);
        body[1] = (byte)prefix;
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], index);
        return new NetlinkMessage(DeleteAddress, 0, body).Add(2, address.GetAddressBytes());
    }

    /// <summary>Adds a route.</summary>
    internal static NetlinkMessage Route(string destination, string? gateway, int index, int mtu)
    {
        (IPAddress address, int prefix) = ParseCidr(destination);
        Span<byte> body = stackalloc byte[12];
        body.Clear();
        body[0] = Family(address);
        body[1] = (byte)prefix;
        body[4] = MainTable;
        body[5] = BootProtocol;
        body[6] = gateway is null ? LinkScope : UniverseScope;
        body[7] = Unicast;
        if (gateway is not null && !string.IsNullOrEmpty(gateway) && address.AddressFamily != IPAddress.Parse(gateway).AddressFamily)
        {
            throw new FormatException($"Gateway {gateway} is of another family than {destination}.");
        }

        var message = new NetlinkMessage(NewRoute, Create | Replace, body);
        if (prefix > 0)
        {
            message.Add(1, address.GetAddressBytes());
        }

        if (gateway is not null)
        {
            message.Add(5, IPAddress.Parse(gateway).GetAddressBytes());
        }

        message.Add(4, (uint)index);
        if (mtu > 0)
        {
            var metric = new byte[8];
            BinaryPrimitives.WriteUInt16LittleEndian(metric, 8);
            BinaryPrimitives.WriteUInt16LittleEndian(metric.AsSpan(2), 2);
            BinaryPrimitives.WriteInt32LittleEndian(metric.AsSpan(4), mtu);
            message.Add(8, metric);
        }

        return message;
    }

    /// <summary>Splits <c>10.88.0.5/16</c>.</summary>
    internal static (IPAddress Address, int Prefix) ParseCidr(string cidr)
    {
        int slash = cidr.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0
            || !IPAddress.TryParse(cidr.AsSpan(0, slash), out IPAddress? address)
            || !int.TryParse(cidr.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int prefix)
            || prefix > address.GetAddressBytes().Length * 8)
        {
            throw new FormatException($"'{cidr}' is no address with prefix length.");
        }

        return (address, prefix);
    }

    /// <summary>Reads <c>02:11:22:33:44:55</c>.</summary>
    internal static byte[] ParseMac(string mac)
    {
        string[] parts = mac.Split(':');
        var bytes = new byte[6];
        if (parts.Length != 6)
        {
            throw new FormatException($"'{mac}' is no MAC address.");
        }

        for (var i = 0; i < 6; i++)
        {
            if (parts[i].Length != 2 || !byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]))
            {
                throw new FormatException($"'{mac}' is no MAC address.");
            }
        }

        return bytes;
    }

    private static byte Family(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? (byte)2 : (byte)10;

    private static byte[] LinkBody(int index, uint flags, uint change)
    {
        var body = new byte[16];
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), index);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(8), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(12), change);
        return body;
    }
}
