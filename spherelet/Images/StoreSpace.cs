using Microsoft.Win32.SafeHandles;

namespace Vks.Spherelet.Images;

/// <summary>Tells a full file system from other trouble, with numbers.</summary>
internal static class StoreSpace
{
    private const int ProbeBytes = 1 << 20;
    private const int ErrnoNoSpace = 28;
    private const int ErrnoQuota = 122;

    /// <summary>A tool's words mean that the file system is full.</summary>
    public static bool SaysFull(string words) =>
        words.Contains("no space left on device", StringComparison.OrdinalIgnoreCase)
        || words.Contains("disk quota exceeded", StringComparison.OrdinalIgnoreCase);

    /// <summary>The exception means that the file system is full.</summary>
    public static bool SaysFull(IOException exception) => (exception.HResult & 0xffff) is ErrnoNoSpace or ErrnoQuota;

    /// <summary>A file cannot grow by 1 MiB, as its file system is full. The file is not of use afterwards.</summary>
    public static bool IsFull(SafeFileHandle file)
    {
        try
        {
            RandomAccess.Write(file, new byte[ProbeBytes], RandomAccess.GetLength(file));
            return false;
        }
        catch (IOException e)
        {
            return SaysFull(e);
        }
    }

    /// <summary>How full the file system of a folder is.</summary>
    public static StoreFilling Measure(string folder)
    {
        DriveInfo drive = Drive(folder + "/");
        return new StoreFilling(drive.TotalSize, drive.AvailableFreeSpace);
    }

    /// <summary>Two folders are on one file system.</summary>
    public static bool Together(string folder, string other) => Drive(folder + "/").Name == Drive(other + "/").Name;

    /// <summary>The fault for a full file system.</summary>
    public static ImageException Exhausted(string image, string doing, string path, Exception? cause = null)
    {
        DriveInfo drive = Drive(path);
        return new ImageException(
            ImageFault.NoSpace,
            image,
            $"No space for {image} while {doing}: {Path.GetDirectoryName(path)} is on {drive.Name}, "
            + $"{drive.AvailableFreeSpace >> 20} of {drive.TotalSize >> 20} MiB free. Remove images, or give the store more room.",
            cause);
    }

    // The mount point with the longest name that the path is below.
    private static DriveInfo Drive(string path) => DriveInfo.GetDrives()
        .Where(drive => path.StartsWith(drive.Name.TrimEnd('/') + "/", StringComparison.Ordinal))
        .MaxBy(drive => drive.Name.Length) ?? new DriveInfo("/");
}
