using System.Text;

namespace Vks.Spherelet.Images;

/// <summary>Reads one 512-byte tar header block. Pure.</summary>
/// <remarks>
/// Layout (POSIX.1-1988 ustar): name 0+100, mode 100+8, uid 108+8, gid 116+8, size 124+12, mtime 136+12, checksum 148+8,
/// type 156, link name 157+100, magic 257+6, version 263+2, device major 329+8, minor 337+8, prefix 345+155.
/// GNU archives have the magic <c>"ustar  "</c> and other fields where ustar has its prefix.
/// </remarks>
internal readonly ref struct TarHeader(ReadOnlySpan<byte> block)
{
    /// <summary>Bytes of a block.</summary>
    public const int BlockSize = 512;

    private readonly ReadOnlySpan<byte> _block = block;

    /// <summary>The type flag.</summary>
    public char Type => _block[156] == 0 ? '0' : (char)_block[156];

    /// <summary>The name with its prefix.</summary>
    public string Name
    {
        get
        {
            string name = Text(0, 100);
            bool ustar = _block.Slice(257, 6).SequenceEqual("ustar\0"u8);
            string prefix = ustar ? Text(345, 155) : "";
            return prefix.Length == 0 ? name : $"{prefix}/{name}";
        }
    }

    /// <summary>The link's target.</summary>
    public string LinkName => Text(157, 100);

    /// <summary>All bytes are zero: the end of the archive.</summary>
    public bool IsZero => !_block.ContainsAnyExcept((byte)0);

    /// <summary>Mode bits.</summary>
    public long Mode => Number(100, 8, "mode");

    /// <summary>Owner.</summary>
    public long Uid => Number(108, 8, "uid");

    /// <summary>Group.</summary>
    public long Gid => Number(116, 8, "gid");

    /// <summary>Bytes of content.</summary>
    public long Size => Number(124, 12, "size");

    /// <summary>Seconds since 1970.</summary>
    public long Mtime => Number(136, 12, "mtime");

    /// <summary>Device major number.</summary>
    public long DeviceMajor => Number(329, 8, "device major");

    /// <summary>Device minor number.</summary>
    public long DeviceMinor => Number(337, 8, "device minor");

    /// <summary>Checks the header's own checksum, which some old tars made of signed bytes.</summary>
    /// <exception cref="LayerFormatException">It does not match.</exception>
    public void Check(long offset)
    {
        long unsigned = 0;
        long signed = 0;
        for (int i = 0; i < BlockSize; i++)
        {
            byte b = i is >= 148 and < 156 ? (byte)' ' : _block[i];
            unsigned += b;
            signed += (sbyte)b;
        }

        long said = Number(148, 8, "checksum");
        if (said != unsigned && said != signed)
        {
            throw new LayerFormatException($"The tar header at byte {offset} has checksum {said}, but its bytes add up to {unsigned}.");
        }
    }

    private string Text(int start, int length)
    {
        ReadOnlySpan<byte> field = _block.Slice(start, length);
        int end = field.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? field : field[..end]);
    }

    private long Number(int start, int length, string what)
    {
        ReadOnlySpan<byte> field = _block.Slice(start, length);
        if ((field[0] & 0x80) != 0)
        {
            return Base256(field, what);
        }

        field = field.Trim((byte)' ');
        int end = field.IndexOf((byte)0);
        field = (end < 0 ? field : field[..end]).Trim((byte)' ');
        long value = 0;
        foreach (byte digit in field)
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                throw new LayerFormatException($"A tar header's {what} is not an octal number.");
            }

            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }

    // GNU's form for numbers that do not fit: big-endian two's complement, marked by the top bit.
    private static long Base256(ReadOnlySpan<byte> field, string what)
    {
        bool negative = (field[0] & 0x40) != 0;
        long value = negative ? -1 : 0;
        for (int i = 0; i < field.Length; i++)
        {
            int b = i == 0 ? (negative ? field[0] : field[0] & 0x7f) : field[i];
            if (value is > (long.MaxValue >> 8) or < (long.MinValue >> 8))
            {
                throw new LayerFormatException($"A tar header's {what} does not fit 64 bits.");
            }

            value = (value << 8) | (uint)b;
        }

        return value;
    }
}
