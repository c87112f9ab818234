using System.Text;

namespace Vks.Spherelet.Images;

/// <summary>Reads the entries of a tar stream (v7, ustar, PAX, GNU) in order, each content at most once.</summary>
/// <remarks>
/// System.Formats.Tar is not used: it keeps PAX values as text, which destroys binary attributes such as <c>security.capability</c>,
/// and layers are hostile input for which the limits here are wanted. Global PAX headers say nothing of single entries and are skipped.
/// </remarks>
internal sealed class TarStreamReader(Stream source) : IDisposable
{
    /// <summary>Most bytes of one PAX or GNU long-name header.</summary>
    public const int MaxExtendedHeaderBytes = 1 << 20;

    private readonly byte[] _buffer = new byte[1 << 17];
    private int _start;
    private int _end;
    private long _offset;
    private long _contentLeft;
    private int _padding;

    /// <summary>Bytes of the stream consumed so far.</summary>
    public long Offset => _offset;

    /// <summary>The next entry, or null at the end of the archive. Content not read is skipped.</summary>
    /// <exception cref="LayerFormatException">Malformed.</exception>
    public async ValueTask<TarEntry?> NextAsync(CancellationToken cancellationToken)
    {
        await SkipAsync(_contentLeft + _padding, cancellationToken);
        (_contentLeft, _padding) = (0, 0);
        TarPaxRecords? pax = null;
        string? longName = null;
        string? longLink = null;
        while (true)
        {
            if (!await EnsureBlockAsync(cancellationToken))
            {
                return pax is null && longName is null && longLink is null
                    ? null
                    : throw new LayerFormatException("The tar archive ends after an extended header.");
            }

            long size;
            char type;
            {
                TarHeader header = new(_buffer.AsSpan(_start, TarHeader.BlockSize));
                if (header.IsZero)
                {
                    return null;
                }

                header.Check(_offset);
                type = header.Type;
                if (type is not ('x' or 'g' or 'L' or 'K' or 'V'))
                {
                    TarEntry entry = Compose(header, pax, longName, longLink);
                    Consume(TarHeader.BlockSize);
                    _contentLeft = entry.Size;
                    _padding = PaddingOf(entry.Size);
                    return entry;
                }

                size = header.Size;
            }

            Consume(TarHeader.BlockSize);
            if (type is 'g' or 'V')
            {
                CheckSize(size);
                await SkipAsync(size + PaddingOf(size), cancellationToken);
                continue;
            }

            byte[] data = await ReadExtendedAsync(size, cancellationToken);
            switch (type)
            {
                case 'x':
                    pax = TarPaxRecords.Parse(data);
                    break;
                case 'L':
                    longName = CString(data);
                    break;
                default:
                    longLink = CString(data);
                    break;
            }
        }
    }

    /// <summary>Copies the current entry's content.</summary>
    public async ValueTask CopyContentAsync(Stream target, CancellationToken cancellationToken)
    {
        while (_contentLeft > 0)
        {
            await EnsureAnyAsync(cancellationToken);
            int count = (int)Math.Min(_contentLeft, _end - _start);
            await target.WriteAsync(_buffer.AsMemory(_start, count), cancellationToken);
            _contentLeft -= count;
            Consume(count);
        }
    }

    /// <summary>Reads to the end of the stream, as its digest covers what comes after the archive's end too.</summary>
    public async ValueTask DrainAsync(CancellationToken cancellationToken)
    {
        do
        {
            Consume(_end - _start);
        }
        while (await FillAsync(cancellationToken));
    }

    /// <inheritdoc/>
    public void Dispose() => source.Dispose();

    private static int PaddingOf(long size) => (int)(-size & (TarHeader.BlockSize - 1));

    private static string CString(byte[] data)
    {
        int end = Array.IndexOf(data, (byte)0);
        return Encoding.Latin1.GetString(data, 0, end < 0 ? data.Length : end);
    }

    private static TarEntry Compose(TarHeader header, TarPaxRecords? pax, string? longName, string? longLink)
    {
        string path = pax?.Path ?? longName ?? header.Name;
        TarEntryKind kind = header.Type switch
        {
            // Before ustar a directory was a file whose name ends in a slash.
            '0' when path.EndsWith('/') => TarEntryKind.Directory,
            '0' or '7' => TarEntryKind.File,
            '1' => TarEntryKind.HardLink,
            '2' => TarEntryKind.Symlink,
            '3' => TarEntryKind.CharDevice,
            '4' => TarEntryKind.BlockDevice,
            '5' => TarEntryKind.Directory,
            '6' => TarEntryKind.Fifo,
            'S' => throw new LayerFormatException($"'{TarEntry.Show(path)}' is a sparse file in GNU's tar form. Make the image again without sparse files."),
            char other => throw new LayerFormatException($"'{TarEntry.Show(path)}' has tar type 0x{(int)other:x2}, which no image may have."),
        };
        bool device = kind is TarEntryKind.CharDevice or TarEntryKind.BlockDevice;
        long size = pax?.Size ?? header.Size;
        CheckSize(size);
        return new TarEntry
        {
            Kind = kind,
            Path = path,
            LinkTarget = kind is TarEntryKind.HardLink or TarEntryKind.Symlink ? pax?.LinkPath ?? longLink ?? header.LinkName : "",
            Mode = (int)(header.Mode & 0xfff),
            Uid = CheckRange(pax?.Uid ?? header.Uid, uint.MaxValue, "owner", path),
            Gid = CheckRange(pax?.Gid ?? header.Gid, uint.MaxValue, "group", path),
            MtimeSeconds = pax?.Mtime ?? header.Mtime,
            Size = kind == TarEntryKind.File ? size : 0,
            // Linux device numbers have 12 and 20 bits.
            DeviceMajor = device ? (int)CheckRange(header.DeviceMajor, 0xfff, "device major", path) : 0,
            DeviceMinor = device ? (int)CheckRange(header.DeviceMinor, 0xfffff, "device minor", path) : 0,
            Xattrs = pax?.Xattrs ?? [],
        };
    }

    private static void CheckSize(long size)
    {
        if (size is < 0 or > long.MaxValue / 2)
        {
            throw new LayerFormatException($"A tar entry says that its size is {size}.");
        }
    }

    private static long CheckRange(long value, long max, string what, string path) => value >= 0 && value <= max
        ? value
        : throw new LayerFormatException($"'{TarEntry.Show(path)}' has {what} {value}, not within 0 to {max}.");

    private async ValueTask<byte[]> ReadExtendedAsync(long size, CancellationToken cancellationToken)
    {
        if (size is < 0 or > MaxExtendedHeaderBytes)
        {
            throw new LayerFormatException($"A tar extended header says that it has {size} bytes; at most {MaxExtendedHeaderBytes} are read.");
        }

        byte[] data = new byte[size];
        int got = 0;
        while (got < size)
        {
            await EnsureAnyAsync(cancellationToken);
            int count = (int)Math.Min(size - got, _end - _start);
            _buffer.AsSpan(_start, count).CopyTo(data.AsSpan(got));
            got += count;
            Consume(count);
        }

        await SkipAsync(PaddingOf(size), cancellationToken);
        return data;
    }

    private async ValueTask SkipAsync(long count, CancellationToken cancellationToken)
    {
        while (count > 0)
        {
            await EnsureAnyAsync(cancellationToken);
            int step = (int)Math.Min(count, _end - _start);
            count -= step;
            Consume(step);
        }
    }

    private void Consume(int count)
    {
        _start += count;
        _offset += count;
    }

    private async ValueTask EnsureAnyAsync(CancellationToken cancellationToken)
    {
        if (_start == _end && !await FillAsync(cancellationToken))
        {
            throw new LayerFormatException($"The tar archive ends at byte {_offset}, in the middle of an entry.");
        }
    }

    /// <summary>One whole header block is in the buffer; false at the end of the stream.</summary>
    private async ValueTask<bool> EnsureBlockAsync(CancellationToken cancellationToken)
    {
        while (_end - _start < TarHeader.BlockSize)
        {
            if (!await FillAsync(cancellationToken))
            {
                return _start == _end
                    ? false
                    : throw new LayerFormatException($"The tar archive ends at byte {_offset + _end - _start}, in the middle of a header.");
            }
        }

        return true;
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        int read = await source.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += read;
        return read > 0;
    }
}
