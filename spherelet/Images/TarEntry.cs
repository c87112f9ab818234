using System.Text;

namespace Vks.Spherelet.Images;

/// <summary>What a tar entry makes.</summary>
internal enum TarEntryKind
{
    /// <summary>A regular file.</summary>
    File = 0,

    /// <summary>Another name for a file.</summary>
    HardLink = 1,

    /// <summary>A symbolic link.</summary>
    Symlink = 2,

    /// <summary>A character device.</summary>
    CharDevice = 3,

    /// <summary>A block device.</summary>
    BlockDevice = 4,

    /// <summary>A directory.</summary>
    Directory = 5,

    /// <summary>A named pipe.</summary>
    Fifo = 6,
}

/// <summary>One entry of a layer: all but its content.</summary>
/// <remarks>
/// Names are byte strings: each char is one byte (Latin-1), so that names that are not UTF-8 come out as they went in.
/// <see cref="Show"/> makes them readable.
/// </remarks>
internal sealed record TarEntry
{
    /// <summary>What it makes.</summary>
    public required TarEntryKind Kind { get; init; }

    /// <summary>Its path as the archive has it.</summary>
    public required string Path { get; init; }

    /// <summary>Target of a link as the archive has it, else empty.</summary>
    public string LinkTarget { get; init; } = "";

    /// <summary>The low 12 mode bits: permissions, setuid, setgid, sticky.</summary>
    public int Mode { get; init; }

    /// <summary>Owner, 0 to 4294967295.</summary>
    public long Uid { get; init; }

    /// <summary>Group, 0 to 4294967295.</summary>
    public long Gid { get; init; }

    /// <summary>Seconds since 1970.</summary>
    public long MtimeSeconds { get; init; }

    /// <summary>Bytes of content; 0 for all but files.</summary>
    public long Size { get; init; }

    /// <summary>Device major number.</summary>
    public int DeviceMajor { get; init; }

    /// <summary>Device minor number.</summary>
    public int DeviceMinor { get; init; }

    /// <summary>Extended attributes: names as byte strings, values as they are.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Xattrs { get; init; } = [];

    /// <summary>A byte string as text for people.</summary>
    public static string Show(string byteString) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(byteString));
}

/// <summary>A layer is not a tar archive that an image can be made of. The message says what is wrong at which entry.</summary>
internal sealed class LayerFormatException(string message, Exception? cause = null) : Exception(message, cause);
