namespace Vks.Runtime.Guest.Protocol;

/// <summary>Turns a byte stream into messages. Garbage is skipped byte by byte up to the next valid header; it never throws.</summary>
/// <remarks>
/// Holds at most one frame batch and one half-joined message (<see cref="ProtocolLimits.MaxMessageBytes"/>), whatever the peer
/// sends. Only one <see cref="ReadAsync"/> at a time.
/// </remarks>
/// <param name="stream">Where the bytes come from.</param>
/// <param name="buffer">From <see cref="NewBuffer"/>, for one who opens many readers one after another; null: one of its own.</param>
internal sealed class FrameReader(Stream stream, byte[]? buffer = null) : IDisposable
{
    private const int BufferBytes = 2 * (ProtocolLimits.MaxFramePayloadBytes + ProtocolLimits.HeaderBytes);
    private const byte FirstMagicByte = 0x56;

    private readonly byte[] _buffer = buffer ?? NewBuffer();
    private readonly MessageJoiner _joiner = new();
    private FrameHeader? _pending;
    private int _start;
    private int _end;

    /// <summary>Header of the message last read; of a joined message, its last frame's.</summary>
    public FrameHeader Header { get; private set; }

    /// <summary>Body of the message last read; valid until the next <see cref="ReadAsync"/>.</summary>
    public ReadOnlyMemory<byte> Body { get; private set; }

    /// <summary>The message was longer than <see cref="ProtocolLimits.MaxMessageBytes"/>; its body was dropped.</summary>
    public bool Oversized { get; private set; }

    /// <summary>Bytes that were no frame, or a message whose rest never came.</summary>
    public long SkippedBytes { get; private set; }

    /// <summary>Room for what a reader holds.</summary>
    internal static byte[] NewBuffer() => GC.AllocateUninitializedArray<byte>(BufferBytes);

    /// <summary>Reads the next message; false at the end of the stream.</summary>
    /// <param name="cancellationToken">Ends the reading; the reader cannot be used after that.</param>
    public async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        while (!TryTake())
        {
            MakeSpace();
            int read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            if (read == 0)
            {
                return false;
            }

            _end += read;
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _joiner.Dispose();

    private bool TryTake()
    {
        while (true)
        {
            _pending ??= FindHeader();
            if (_pending is not { } header || _end - _start < header.PayloadBytes)
            {
                return false;
            }

            ReadOnlyMemory<byte> payload = _buffer.AsMemory(_start, header.PayloadBytes);
            _start += header.PayloadBytes;
            _pending = null;
            SkippedBytes += _joiner.DropUnlessContinuedBy(header);
            if (!header.More && !_joiner.Joining)
            {
                (Header, Body, Oversized) = (header, payload, false);
                return true;
            }

            _joiner.Add(header, payload.Span);
            if (!header.More)
            {
                (Body, Oversized) = _joiner.Take();
                Header = header;
                return true;
            }
        }
    }

    private FrameHeader? FindHeader()
    {
        while (_end - _start >= ProtocolLimits.HeaderBytes)
        {
            ReadOnlySpan<byte> bytes = _buffer.AsSpan(_start, _end - _start);
            if (FrameHeader.TryRead(bytes, out FrameHeader header))
            {
                _start += ProtocolLimits.HeaderBytes;
                return header;
            }

            int next = bytes[1..].IndexOf(FirstMagicByte);
            int skipped = next < 0 ? bytes.Length : next + 1;
            _start += skipped;
            SkippedBytes += skipped;
        }

        return null;
    }

    /// <summary>The rest of the frame under way must fit behind <see cref="_start"/>; moving is cheap since what is left is less than a frame.</summary>
    private void MakeSpace()
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_buffer.Length - _start < ProtocolLimits.MaxFramePayloadBytes + ProtocolLimits.HeaderBytes)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
    }
}
