using System.Buffers.Binary;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>
/// The 16 bytes before every payload, little endian:
/// magic u16 | kind u8 | stream u8 | call u32 | length u31 and more-bit | checksum u32.
/// </summary>
/// <remarks>
/// A virtio-serial port has no connections of its own: after a daemon restart the first bytes that either end reads may
/// be the middle of an old frame. The magic and the checksum over the first 12 bytes let a reader find the next header.
/// </remarks>
/// <param name="Kind">What the payload is.</param>
/// <param name="Stream">Which stream of the call; meaningful for Data, End and Credit.</param>
/// <param name="CallId">The call, chosen by the host, unique within a session; 0 for Hello and Event.</param>
/// <param name="PayloadBytes">0 to <see cref="ProtocolLimits.MaxFramePayloadBytes"/>.</param>
/// <param name="More">The message goes on in the next frame of the same kind and call.</param>
public readonly record struct FrameHeader(FrameKind Kind, GuestStream Stream, uint CallId, int PayloadBytes, bool More)
{
    private const ushort Magic = 0x4b56;
    private const uint MoreBit = 0x8000_0000;

    /// <summary>Writes the header to the first <see cref="ProtocolLimits.HeaderBytes"/> bytes of <paramref name="destination"/>.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, Magic);
        destination[2] = (byte)Kind;
        destination[3] = (byte)Stream;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], CallId);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], (uint)PayloadBytes | (More ? MoreBit : 0));
        BinaryPrimitives.WriteUInt32LittleEndian(destination[12..], Checksum(destination[..12]));
    }

    /// <summary>Reads a header; false when the bytes are not one (wrong magic, checksum, kind, stream or length).</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out FrameHeader header)
    {
        header = default;
        if (source.Length < ProtocolLimits.HeaderBytes
            || BinaryPrimitives.ReadUInt16LittleEndian(source) != Magic
            || BinaryPrimitives.ReadUInt32LittleEndian(source[12..]) != Checksum(source[..12]))
        {
            return false;
        }

        var kind = (FrameKind)source[2];
        var stream = (GuestStream)source[3];
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(source[8..]);
        var payloadBytes = (int)(length & ~MoreBit);
        if (kind is < FrameKind.Hello or > FrameKind.Event
            || stream > GuestStream.Error
            || payloadBytes > ProtocolLimits.MaxFramePayloadBytes)
        {
            return false;
        }

        header = new FrameHeader(kind, stream, BinaryPrimitives.ReadUInt32LittleEndian(source[4..]), payloadBytes, (length & MoreBit) != 0);
        return true;
    }

    /// <summary>FNV-1a: a header is 12 bytes, and the check only has to tell it from stray data, not from an attacker's.</summary>
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint hash = 2166136261;
        foreach (byte value in bytes)
        {
            hash = (hash ^ value) * 16777619;
        }

        return hash;
    }
}
