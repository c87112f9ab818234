namespace Vks.Spherelet.Images;

/// <summary>Tells a full file system from other trouble, with numbers.</summary>
internal static class StoreSpace
{
    private const long NearlyNothing = 1 << 20;
    private const int ErrnoNoSpace = 28;
    private const int ErrnoQuota = 122;

    /// <summary>A tool's words mean that the file system is full.</summary>
    public static bool SaysFull(string words) =>
        words.Contains("no space left on device", StringComparison.OrdinalIgnoreCase)
        || words.Contains("disk quota exceeded", StringComparison.OrdinalIgnoreCase);

    /// <summary>The exception means that the file system is full.</summary>
    public static bool SaysFull(IOException exception) => (exception.HResult & 0xffff) is ErrnoNoSpace or ErrnoQuota;

    /// <summary>The file system of a path has less than 1 MiB left.</summary>
    public static bool IsFull(string path) => Drive(path).AvailableFreeSpace < NearlyNothing;

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
