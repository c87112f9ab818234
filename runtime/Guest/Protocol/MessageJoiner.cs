using System.Buffers;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>Joins the frames of one long message. The frames of a message follow each other on the wire with nothing between.</summary>
internal sealed class MessageJoiner : IDisposable
{
    private byte[] _bytes = [];
    private FrameHeader _first;
    private int _length;
    private bool _oversized;

    /// <summary>A message has begun and not ended.</summary>
    public bool Joining { get; private set; }

    /// <summary>Forgets the message under way when <paramref name="header"/> is not its next frame.</summary>
    /// <returns>The bytes forgotten.</returns>
    public int DropUnlessContinuedBy(FrameHeader header)
    {
        if (!Joining || (header.Kind == _first.Kind && header.CallId == _first.CallId && header.Stream == _first.Stream))
        {
            return 0;
        }

        Joining = false;
        return _length;
    }

    /// <summary>Adds the next frame; beyond the limit only the fact is kept.</summary>
    public void Add(FrameHeader header, ReadOnlySpan<byte> payload)
    {
        if (!Joining)
        {
            (Joining, _first, _length, _oversized) = (true, header, 0, false);
        }

        _oversized |= _length + payload.Length > ProtocolLimits.MaxMessageBytes;
        if (_oversized)
        {
            return;
        }

        Grow(_length + payload.Length);
        payload.CopyTo(_bytes.AsSpan(_length));
        _length += payload.Length;
    }

    /// <summary>Ends the message; its bytes stay valid until the next <see cref="Add"/>.</summary>
    public (ReadOnlyMemory<byte> Body, bool Oversized) Take()
    {
        Joining = false;
        return (_oversized ? default : _bytes.AsMemory(0, _length), _oversized);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        byte[] bytes = Interlocked.Exchange(ref _bytes, []);
        if (bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private void Grow(int needed)
    {
        if (needed <= _bytes.Length)
        {
            return;
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, Math.Min(_bytes.Length * 2, ProtocolLimits.MaxMessageBytes)));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        Dispose();
        _bytes = larger;
    }
}
