using System.Globalization;
using System.Text;
using Vks.Spherelet.Images;

namespace Vks.Tests.Kit;

/// <summary>Builds tar archives for layers, honest ones and others.</summary>
internal sealed class ImageBuilderTar
{
    private readonly List<byte> _bytes = [];

    /// <summary>Adds an entry; its size is that of the content.</summary>
    public ImageBuilderTar Add(TarEntry entry, byte[]? content = null)
    {
        content ??= [];
        using MemoryStream bytes = new();
        TarStreamWriter writer = new(bytes);
        Complete(writer.WriteHeaderAsync(entry with { Size = content.Length }, CancellationToken.None));
        bytes.Write(content);
        Complete(writer.PadAsync(content.Length, CancellationToken.None));
        _bytes.AddRange(bytes.ToArray());
        return this;
    }

    /// <summary>Adds a file.</summary>
    public ImageBuilderTar File(string path, string content = "", int mode = 0x1a4) =>
        Add(new TarEntry { Kind = TarEntryKind.File, Path = path, Mode = mode }, Encoding.UTF8.GetBytes(content));

    /// <summary>Adds a directory.</summary>
    public ImageBuilderTar Dir(string path, int mode = 0x1ed) => Add(new TarEntry { Kind = TarEntryKind.Directory, Path = path, Mode = mode });

    /// <summary>Adds a symbolic link.</summary>
    public ImageBuilderTar Symlink(string path, string target) => Add(new TarEntry { Kind = TarEntryKind.Symlink, Path = path, LinkTarget = target, Mode = 0x1ff });

    /// <summary>Adds a hard link.</summary>
    public ImageBuilderTar HardLink(string path, string target) => Add(new TarEntry { Kind = TarEntryKind.HardLink, Path = path, LinkTarget = target });

    /// <summary>Removes a name of lower layers.</summary>
    public ImageBuilderTar Whiteout(string directory, string name) => File(directory.Length == 0 ? $".wh.{name}" : $"{directory}/.wh.{name}");

    /// <summary>Hides all that lower layers have in a directory.</summary>
    public ImageBuilderTar Opaque(string directory) => File($"{directory}/.wh..wh..opq");

    /// <summary>Adds bytes as they are.</summary>
    public ImageBuilderTar Raw(byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <summary>The archive with its end marker.</summary>
    public byte[] ToArray() => [.. _bytes, .. new byte[2 * TarHeader.BlockSize]];

    /// <summary>A header block with a right checksum and any fields.</summary>
    public static byte[] Header(string name, char type, string size = "00000000000", string magic = "ustar\000", string link = "")
    {
        byte[] block = new byte[512];
        Encoding.Latin1.GetBytes(name, block);
        "0000644\0"u8.CopyTo(block.AsSpan(100));
        "0000000\0"u8.CopyTo(block.AsSpan(108));
        "0000000\0"u8.CopyTo(block.AsSpan(116));
        Encoding.Latin1.GetBytes(size).CopyTo(block, 124);
        "00000000000\0"u8.CopyTo(block.AsSpan(136));
        block[156] = (byte)type;
        Encoding.Latin1.GetBytes(link).CopyTo(block, 157);
        Encoding.Latin1.GetBytes(magic).CopyTo(block, 257);
        block.AsSpan(148, 8).Fill((byte)' ');
        int sum = block.Sum(b => b);
        Encoding.Latin1.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0").CopyTo(block, 148);
        return block;
    }

    /// <summary>Content padded to whole blocks.</summary>
    public static byte[] Padded(byte[] content)
    {
        byte[] padded = new byte[(content.Length + 511) / 512 * 512];
        content.CopyTo(padded, 0);
        return padded;
    }

    /// <summary>A PAX record.</summary>
    public static byte[] Pax(string key, byte[] value)
    {
        int length = key.Length + value.Length + 3;
        length += length.ToString(CultureInfo.InvariantCulture).Length;
        length = key.Length + value.Length + 3 + length.ToString(CultureInfo.InvariantCulture).Length;
        return [.. Encoding.Latin1.GetBytes($"{length} {key}="), .. value, (byte)'\n'];
    }

    // Memory streams complete at once.
    private static void Complete(ValueTask task)
    {
        if (!task.IsCompletedSuccessfully)
        {
            throw new InvalidOperationException("A memory stream did not complete at once.");
        }
    }
}
