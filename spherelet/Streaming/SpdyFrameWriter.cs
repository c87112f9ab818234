using System.Buffers;
using System.Buffers.Binary;

namespace Vks.Spherelet.Streaming;

/// <summary>Lays out the frames that a server sends.</summary>
internal static class SpdyFrameWriter
{
    /// <summary>
    /// A header block without headers, as zlib with the dictionary: one stored block with the count, then an empty one, by which a
    /// decompressor knows that it has to give out what it has (zlib calls that a sync flush; some wait for it). Every reply carries the
    /// same nothing, so no compressor is needed: the first reply brings the zlib header, later ones only the blocks.
    /// </summary>
    private static readonly byte[] s_zlibHeader = [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2];

    private static readonly byte[] s_emptyBlock = [0, 4, 0, 0xFB, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];

    /// <summary>Bytes of a stream.</summary>
    public static void Data(IBufferWriter<byte> to, uint streamId, bool fin, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = to.GetSpan(SpdyFrame.HeaderBytes);
        BinaryPrimitives.WriteUInt32BigEndian(header, streamId);
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], (uint)payload.Length | (fin ? (uint)SpdyFrame.FlagFin << 24 : 0));
        to.Advance(SpdyFrame.HeaderBytes);
        to.Write(payload);
    }

    /// <summary>Accepts a stream.</summary>
    /// <param name="to">Where it goes.</param>
    /// <param name="streamId">The stream.</param>
    /// <param name="first">No reply was sent on this connection before.</param>
    public static void SynReply(IBufferWriter<byte> to, uint streamId, bool first)
    {
        Control(to, SpdyFrameType.SynReply, sizeof(uint) + (first ? s_zlibHeader.Length : 0) + s_emptyBlock.Length);
        Number(to, streamId);
        if (first)
        {
            to.Write(s_zlibHeader);
        }

        to.Write(s_emptyBlock);
    }

    /// <summary>Ends a stream at once.</summary>
    public static void RstStream(IBufferWriter<byte> to, uint streamId, SpdyResetStatus status)
    {
        Control(to, SpdyFrameType.RstStream, 2 * sizeof(uint));
        Number(to, streamId);
        Number(to, (uint)status);
    }

    /// <summary>Sends a ping back.</summary>
    public static void Ping(IBufferWriter<byte> to, uint id)
    {
        Control(to, SpdyFrameType.Ping, sizeof(uint));
        Number(to, id);
    }

    /// <summary>Tells that no more streams are taken.</summary>
    /// <param name="to">Where it goes.</param>
    /// <param name="lastStreamId">The last stream that was taken.</param>
    /// <param name="protocolError">The peer broke the rules.</param>
    public static void GoAway(IBufferWriter<byte> to, uint lastStreamId, bool protocolError)
    {
        Control(to, SpdyFrameType.GoAway, 2 * sizeof(uint));
        Number(to, lastStreamId);
        Number(to, protocolError ? 1u : 0u);
    }

    /// <summary>Tells that there is room for more bytes.</summary>
    public static void WindowUpdate(IBufferWriter<byte> to, uint streamId, int bytes)
    {
        Control(to, SpdyFrameType.WindowUpdate, 2 * sizeof(uint));
        Number(to, streamId);
        Number(to, (uint)bytes);
    }

    private static void Control(IBufferWriter<byte> to, SpdyFrameType type, int payloadBytes)
    {
        Number(to, 0x8000_0000 | ((uint)SpdyFrame.Version << 16) | (uint)type);
        Number(to, (uint)payloadBytes);
    }

    private static void Number(IBufferWriter<byte> to, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to.GetSpan(sizeof(uint)), value);
        to.Advance(sizeof(uint));
    }
}
