using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vks.Spherelet.Streaming;

/// <summary>Cuts bytes into frames.</summary>
/// <remarks>
/// <code>
/// control  1 version(15) | type(16) | flags(8) length(24) | payload
/// data     0 stream id(31)          | flags(8) length(24) | payload
/// </code>
/// Control frames are given whole and are small; data frames are given as they come and never held.
/// </remarks>
internal sealed class SpdyFrameReader(PipeReader source)
{
    private ReadOnlySequence<byte> _buffer;
    private SequencePosition? _consumed;
    private SpdyFrame _data;
    private int _dataLeft;

    /// <summary>The next frame or piece, or null at the end of the connection between two frames.</summary>
    /// <exception cref="SpdyException">Not SPDY/3.1, or the connection ended inside a frame.</exception>
    public async ValueTask<SpdyFrame?> ReadAsync(CancellationToken cancellationToken)
    {
        Release();
        while (true)
        {
            ReadResult result = await source.ReadAsync(cancellationToken);
            _buffer = result.Buffer;
            if (TryTake(out SpdyFrame frame))
            {
                return frame;
            }

            if (result.IsCompleted)
            {
                bool clean = _buffer.IsEmpty && _dataLeft == 0;
                _consumed = _buffer.End;
                Release();
                return clean ? null : throw new SpdyException("The connection ended inside a frame.");
            }

            source.AdvanceTo(_buffer.Start, _buffer.End);
        }
    }

    private void Release()
    {
        if (_consumed is { } consumed)
        {
            source.AdvanceTo(consumed);
            _consumed = null;
        }
    }

    private bool TryTake(out SpdyFrame frame)
    {
        frame = default;
        if (_dataLeft > 0)
        {
            return !_buffer.IsEmpty && TakeData(_buffer, out frame);
        }

        if (_buffer.Length < SpdyFrame.HeaderBytes)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[SpdyFrame.HeaderBytes];
        _buffer.Slice(0, SpdyFrame.HeaderBytes).CopyTo(header);
        uint first = BinaryPrimitives.ReadUInt32BigEndian(header);
        byte flags = header[4];
        var length = (int)(BinaryPrimitives.ReadUInt32BigEndian(header[4..]) & 0xFF_FFFF);
        ReadOnlySequence<byte> rest = _buffer.Slice(SpdyFrame.HeaderBytes);
        if ((first & 0x8000_0000) == 0)
        {
            _data = new SpdyFrame(SpdyFrameType.Data, flags, first, default, false);
            _dataLeft = length;
            return TakeData(rest, out frame);
        }

        var version = (int)((first >> 16) & 0x7FFF);
        if (version != SpdyFrame.Version)
        {
            _consumed = _buffer.End;
            throw new SpdyException($"The peer speaks version {version} of SPDY, or none: version {SpdyFrame.Version} is expected.");
        }

        if (length > SpdyFrame.MaxControlBytes)
        {
            _consumed = _buffer.End;
            throw new SpdyException($"The peer sent a control frame of {length} bytes; {SpdyFrame.MaxControlBytes} are the most.");
        }

        if (rest.Length < length)
        {
            return false;
        }

        frame = new SpdyFrame((SpdyFrameType)(first & 0xFFFF), flags, 0, rest.Slice(0, length), true);
        _consumed = frame.Payload.End;
        return true;
    }

    private bool TakeData(ReadOnlySequence<byte> available, out SpdyFrame frame)
    {
        ReadOnlySequence<byte> piece = available.Slice(0, Math.Min(available.Length, _dataLeft));
        _dataLeft -= (int)piece.Length;
        frame = _data with { Payload = piece, IsLastPiece = _dataLeft == 0 };
        _consumed = piece.End;
        return true;
    }
}
