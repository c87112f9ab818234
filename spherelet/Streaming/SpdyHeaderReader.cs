using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Vks.Spherelet.Streaming;

/// <summary>Unpacks the header blocks of one connection. They are one zlib stream, so every block has to pass here, in order.</summary>
/// <remarks>
/// The class library offers no preset dictionary. Putting the dictionary in front of the raw data as a stored block, and throwing away
/// what comes out of that, leaves the decompressor in the very same state.
/// </remarks>
internal sealed class SpdyHeaderReader : IDisposable
{
    /// <summary>Most bytes of one unpacked block: a few names and numbers are expected.</summary>
    public const int MaxBlockBytes = 64 * 1024;

    /// <summary>zlib's header with a dictionary: method, flags, checksum of the dictionary.</summary>
    private const int ZlibHeaderBytes = 6;

    private readonly Feed _feed = new();
    private readonly DeflateStream _inflater;
    private bool _primed;

    public SpdyHeaderReader() => _inflater = new DeflateStream(_feed, CompressionMode.Decompress, leaveOpen: true);

    /// <summary>The headers of one block; names in lower case, as the protocol wants them.</summary>
    /// <exception cref="SpdyException">It cannot be unpacked, or is too large.</exception>
    public Dictionary<string, string> Read(ReadOnlySequence<byte> packed)
    {
        try
        {
            return Parse(Unpack(packed.ToArray()));
        }
        catch (InvalidDataException cause)
        {
            throw new SpdyException($"A header block cannot be unpacked: {cause.Message}", cause);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _inflater.Dispose();
        _feed.Dispose();
    }

    private byte[] Unpack(byte[] packed)
    {
        ReadOnlyMemory<byte> input = packed;
        if (!_primed)
        {
            Prime(packed);
            input = input[ZlibHeaderBytes..];
        }

        _feed.Next = input;
        var block = new byte[MaxBlockBytes];
        var length = 0;
        while (_inflater.Read(block, length, block.Length - length) is var got and > 0)
        {
            length += got;
            if (length == block.Length)
            {
                throw new SpdyException($"A header block is larger than {MaxBlockBytes} bytes.");
            }
        }

        return _feed.Next.IsEmpty ? block[..length] : throw new SpdyException("A header block goes on after the end of its compression.");
    }

    private void Prime(byte[] packed)
    {
        // CMF 8: deflate; FLG bit 5: a dictionary is in use; both together are a multiple of 31.
        if (packed.Length < ZlibHeaderBytes
            || (packed[0] & 0x0F) != 8
            || ((packed[0] << 8) + packed[1]) % 31 != 0
            || (packed[1] & 0x20) == 0
            || BinaryPrimitives.ReadUInt32BigEndian(packed.AsSpan(2)) != SpdyHeaderDictionary.Checksum)
        {
            throw new SpdyException("The first header block is not zlib with the dictionary of SPDY/3.");
        }

        byte[] dictionary = SpdyHeaderDictionary.Bytes;
        var stored = new byte[5 + dictionary.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(stored.AsSpan(1), (ushort)dictionary.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(stored.AsSpan(3), (ushort)~dictionary.Length);
        dictionary.CopyTo(stored, 5);
        _feed.Next = stored;
        _inflater.ReadExactly(new byte[dictionary.Length]);
        _primed = true;
    }

    private static Dictionary<string, string> Parse(ReadOnlySpan<byte> block)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        int count = ReadLength(ref block, long.MaxValue);
        for (var i = 0; i < count; i++)
        {
            string name = ReadText(ref block);
            headers[name] = ReadText(ref block);
        }

        return headers;
    }

    private static string ReadText(ref ReadOnlySpan<byte> block)
    {
        int length = ReadLength(ref block, block.Length - sizeof(uint));
        string text = Encoding.UTF8.GetString(block[..length]);
        block = block[length..];
        return text;
    }

    private static int ReadLength(ref ReadOnlySpan<byte> block, long most)
    {
        if (block.Length < sizeof(uint) || BinaryPrimitives.ReadUInt32BigEndian(block) is var length && (length > most || length > int.MaxValue))
        {
            throw new SpdyException("A header block ends inside a name or value.");
        }

        var read = (int)BinaryPrimitives.ReadUInt32BigEndian(block);
        block = block[sizeof(uint)..];
        return read;
    }

    /// <summary>Gives one block at a time; at its end there is nothing for the moment.</summary>
    private sealed class Feed : Stream
    {
        public ReadOnlyMemory<byte> Next { get; set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, Next.Length);
            Next.Span[..count].CopyTo(buffer);
            Next = Next[count..];
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            // Nothing is written.
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
