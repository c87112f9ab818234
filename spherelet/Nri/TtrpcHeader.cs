using System.Buffers.Binary;

namespace Vks.Spherelet.Nri;

/// <summary>What a ttrpc message is.</summary>
internal enum TtrpcKind : byte
{
    /// <summary>A call.</summary>
    Request = 1,

    /// <summary>The end of a call.</summary>
    Response = 2,

    /// <summary>More of a streaming call; NRI has none.</summary>
    Data = 3,
}

/// <summary>Before every ttrpc message (containerd/ttrpc, PROTOCOL.md): length, call and kind, big-endian.</summary>
/// <param name="Length">Bytes that follow, 0 to 4 MiB.</param>
/// <param name="Call">Which call: odd, ascending, chosen by the caller.</param>
/// <param name="Kind">What follows.</param>
/// <param name="Flags">1: the sender has no more for this call.</param>
internal readonly record struct TtrpcHeader(int Length, uint Call, TtrpcKind Kind, byte Flags)
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 10;

    /// <summary>Most bytes of a message.</summary>
    public const int MostBytes = 4 << 20;

    /// <summary>The sender has no more for this call.</summary>
    public const byte NoMore = 1;

    /// <summary>Reads a header.</summary>
    /// <exception cref="TtrpcException"><see cref="TtrpcCode.Internal"/>: the message is too long, or of no known kind.</exception>
    public static TtrpcHeader Read(ReadOnlySpan<byte> bytes)
    {
        uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        var kind = (TtrpcKind)bytes[8];
        return length > MostBytes
            ? throw new TtrpcException(TtrpcCode.Internal, $"a message of {length} bytes was announced; at most {MostBytes} are taken", isFatal: true)
            : kind is not (TtrpcKind.Request or TtrpcKind.Response or TtrpcKind.Data)
            ? throw new TtrpcException(TtrpcCode.Internal, $"a message of the unknown kind {bytes[8]} came", isFatal: true)
            : new TtrpcHeader((int)length, BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]), kind, bytes[9]);
    }

    /// <summary>Writes it.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)Length);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], Call);
        bytes[8] = (byte)Kind;
        bytes[9] = Flags;
    }
}
