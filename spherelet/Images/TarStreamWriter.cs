using System.Globalization;
using System.Text;

namespace Vks.Spherelet.Images;

/// <summary>Writes a tar stream: ustar headers, each after a PAX header where ustar has no room.</summary>
internal sealed class TarStreamWriter(Stream target)
{
    private const int MaxOctal7 = 0x1fffff;
    private const long MaxOctal11 = 0x1ffffffff;

    private readonly byte[] _block = new byte[TarHeader.BlockSize];

    /// <summary>Writes an entry's headers; <see cref="TarEntry.Size"/> bytes of content must follow, then <see cref="PadAsync"/>.</summary>
    public async ValueTask WriteHeaderAsync(TarEntry entry, CancellationToken cancellationToken)
    {
        byte[] pax = PaxRecords(entry);
        if (pax.Length > 0)
        {
            FillBlock(new TarEntry { Kind = TarEntryKind.File, Path = "pax", Mode = 0x1a4, Size = pax.Length }, 'x');
            await target.WriteAsync(_block, cancellationToken);
            await target.WriteAsync(pax, cancellationToken);
            await PadAsync(pax.Length, cancellationToken);
        }

        FillBlock(entry, (char)('0' + (int)entry.Kind));
        await target.WriteAsync(_block, cancellationToken);
    }

    /// <summary>Fills up the last block of a content of that size.</summary>
    public async ValueTask PadAsync(long size, CancellationToken cancellationToken)
    {
        int padding = (int)(-size & (TarHeader.BlockSize - 1));
        if (padding > 0)
        {
            Array.Clear(_block);
            await target.WriteAsync(_block.AsMemory(0, padding), cancellationToken);
        }
    }

    /// <summary>Writes the two zero blocks at the end.</summary>
    public async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        Array.Clear(_block);
        await target.WriteAsync(_block, cancellationToken);
        await target.WriteAsync(_block, cancellationToken);
        await target.FlushAsync(cancellationToken);
    }

    private static byte[] PaxRecords(TarEntry entry)
    {
        using MemoryStream records = new();
        if (entry.Path.Length > 100)
        {
            Append(records, "path", Encoding.Latin1.GetBytes(entry.Path));
        }

        if (entry.LinkTarget.Length > 100)
        {
            Append(records, "linkpath", Encoding.Latin1.GetBytes(entry.LinkTarget));
        }

        AppendWhenLarge(records, "size", entry.Size, MaxOctal11);
        AppendWhenLarge(records, "uid", entry.Uid, MaxOctal7);
        AppendWhenLarge(records, "gid", entry.Gid, MaxOctal7);
        foreach ((string name, byte[] value) in entry.Xattrs)
        {
            Append(records, "SCHILY.xattr." + name, value);
        }

        return records.ToArray();
    }

    private static void AppendWhenLarge(MemoryStream records, string key, long value, long max)
    {
        if (value > max)
        {
            Append(records, key, Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static void Append(MemoryStream records, string key, byte[] value)
    {
        // The length counts its own digits.
        int rest = key.Length + value.Length + 3;
        int length = rest + Digits(rest);
        length = rest + Digits(length);
        records.Write(Encoding.Latin1.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{length} {key}=")));
        records.Write(value);
        records.WriteByte((byte)'\n');
    }

    private static int Digits(int number) => number.ToString(CultureInfo.InvariantCulture).Length;

    private void FillBlock(TarEntry entry, char type)
    {
        Array.Clear(_block);
        Text(0, 100, entry.Path);
        Octal(100, 8, entry.Mode);
        Octal(108, 8, entry.Uid > MaxOctal7 ? 0 : entry.Uid);
        Octal(116, 8, entry.Gid > MaxOctal7 ? 0 : entry.Gid);
        Octal(124, 12, entry.Size > MaxOctal11 ? 0 : entry.Size);
        // squashfs has unsigned 32-bit seconds.
        Octal(136, 12, Math.Clamp(entry.MtimeSeconds, 0, uint.MaxValue));
        _block[156] = (byte)type;
        Text(157, 100, entry.LinkTarget);
        "ustar\0"u8.CopyTo(_block.AsSpan(257));
        "00"u8.CopyTo(_block.AsSpan(263));
        Octal(329, 8, entry.DeviceMajor);
        Octal(337, 8, entry.DeviceMinor);
        _block.AsSpan(148, 8).Fill((byte)' ');
        int sum = 0;
        foreach (byte b in _block)
        {
            sum += b;
        }

        Octal(148, 7, sum);
    }

    private void Text(int start, int length, string text) =>
        Encoding.Latin1.GetBytes(text.AsSpan(0, Math.Min(text.Length, length)), _block.AsSpan(start, length));

    private void Octal(int start, int length, long value)
    {
        for (int i = start + length - 2; i >= start; i--)
        {
            _block[i] = (byte)('0' + (value & 7));
            value >>= 3;
        }

        _block[start + length - 1] = 0;
    }
}
