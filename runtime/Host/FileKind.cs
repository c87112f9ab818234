using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>What a path leads to, symbolic links followed.</summary>
public enum FileKind
{
    /// <summary>Nothing, or nothing we may look at.</summary>
    Missing = 0,

    /// <summary>A regular file.</summary>
    Regular = 1,

    /// <summary>A block device.</summary>
    BlockDevice = 2,

    /// <summary>A folder, pipe, socket or character device.</summary>
    Other = 3,
}

/// <summary>Tells kinds of files apart without opening them: opening a pipe waits for its other end.</summary>
public static class FileKinds
{
    private const uint TypeMask = 0xf000; // S_IFMT, inode(7)
    private const uint BlockDevice = 0x6000;
    private const uint Regular = 0x8000;

    /// <summary>Looks at a path (stat(2)).</summary>
    public static unsafe FileKind Of(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        stat status = default;
        fixed (byte* name = Native.ZeroTerminated(path))
        {
            if (LibC.stat(name, &status) != 0)
            {
                return FileKind.Missing;
            }
        }

        return ((uint)status.st_mode & TypeMask) switch
        {
            Regular => FileKind.Regular,
            BlockDevice => FileKind.BlockDevice,
            _ => FileKind.Other,
        };
    }
}
