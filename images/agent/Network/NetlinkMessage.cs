using System.Buffers.Binary;
using System.Text;

namespace Vks.Agent.Network;

/// <summary>Builds one rtnetlink request: header, the family's fixed part, attributes padded to four bytes. netlink(7), rtnetlink(7).</summary>
internal sealed class NetlinkMessage
{
    private const int HeaderBytes = 16;
    private const ushort RequestFlag = 1, AcknowledgeFlag = 4;
    private readonly List<byte> _bytes = [];

    /// <summary>Starts a request that is acknowledged.</summary>
    /// <param name="type">RTM_….</param>
    /// <param name="flags">NLM_F_… beside REQUEST and ACK.</param>
    /// <param name="body">The fixed part: ifinfomsg, ifaddrmsg, rtmsg.</param>
    internal NetlinkMessage(ushort type, ushort flags, ReadOnlySpan<byte> body)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        header.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], (ushort)(flags | RequestFlag | AcknowledgeFlag));
        Append(header);
        Append(body);
    }

    /// <summary>Adds an attribute of raw bytes.</summary>
    internal NetlinkMessage Add(ushort attribute, ReadOnlySpan<byte> value)
    {
        Span<byte> header = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(header, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], attribute);
        Append(header);
        Append(value);
        return this;
    }

    /// <summary>Adds a 32-bit attribute.</summary>
    internal NetlinkMessage Add(ushort attribute, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Add(attribute, bytes);
    }

    /// <summary>Adds a text attribute, ended by a zero byte.</summary>
    internal NetlinkMessage Add(ushort attribute, string value) => Add(attribute, Encoding.UTF8.GetBytes(value + "\0"));

    /// <summary>The finished request.</summary>
    internal byte[] ToArray(uint sequence)
    {
        byte[] bytes = [.. _bytes];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), sequence);
        return bytes;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            _bytes.Add(value);
        }

        while (_bytes.Count % 4 != 0)
        {
            _bytes.Add(0);
        }
    }
}
