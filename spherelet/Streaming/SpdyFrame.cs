using System.Buffers;

namespace Vks.Spherelet.Streaming;

/// <summary>Control frame types of SPDY/3.1. The values are wire numbers.</summary>
internal enum SpdyFrameType
{
    /// <summary>Not a control frame: bytes of a stream.</summary>
    Data = 0,

    /// <summary>Opens a stream.</summary>
    SynStream = 1,

    /// <summary>Accepts a stream.</summary>
    SynReply = 2,

    /// <summary>Ends a stream at once.</summary>
    RstStream = 3,

    /// <summary>Connection settings.</summary>
    Settings = 4,

    /// <summary>Round trip.</summary>
    Ping = 6,

    /// <summary>No more streams are taken.</summary>
    GoAway = 7,

    /// <summary>More headers of a stream.</summary>
    Headers = 8,

    /// <summary>The receiver has room for more bytes.</summary>
    WindowUpdate = 9,
}

/// <summary>Reasons in RST_STREAM. The values are wire numbers.</summary>
internal enum SpdyResetStatus
{
    /// <summary>The peer broke the rules of the stream.</summary>
    ProtocolError = 1,

    /// <summary>Nobody will look at this stream.</summary>
    RefusedStream = 3,

    /// <summary>Whoever made the stream wants no more of it.</summary>
    Cancel = 5,
}

/// <summary>One frame, or a piece of a data frame: payloads of data need not arrive in one.</summary>
/// <param name="Type">Its type; types that are not in the enumeration are to be skipped.</param>
/// <param name="Flags">8 bits of flags.</param>
/// <param name="StreamId">Of a data frame; 0 for control frames, which carry it in the payload.</param>
/// <param name="Payload">Good until the next frame is read.</param>
/// <param name="IsLastPiece">No more pieces of this frame follow.</param>
internal readonly record struct SpdyFrame(SpdyFrameType Type, byte Flags, uint StreamId, ReadOnlySequence<byte> Payload, bool IsLastPiece)
{
    /// <summary>Flag of DATA, SYN_STREAM, SYN_REPLY and HEADERS: the sender sends no more on this stream.</summary>
    public const byte FlagFin = 1;

    /// <summary>Flag of SYN_STREAM: the receiver must not send on this stream.</summary>
    public const byte FlagUnidirectional = 2;

    /// <summary>Bytes of a frame's header.</summary>
    public const int HeaderBytes = 8;

    /// <summary>Most bytes of a control frame's payload taken from a peer.</summary>
    public const int MaxControlBytes = 64 * 1024;

    /// <summary>The protocol version in control frames.</summary>
    public const int Version = 3;

    /// <summary>Bytes that may be sent on a new stream before the receiver asks for more.</summary>
    public const int InitialWindowBytes = 64 * 1024;
}

/// <summary>The peer sends what is not SPDY/3.1. The connection is of no use any more.</summary>
internal sealed class SpdyException(string message, Exception? cause = null) : IOException(message, cause);
