using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Host;

/// <summary>What the file API of .NET leaves out.</summary>
internal static partial class HostFile
{
    private const int SeekData = 3;
    private const int SeekHole = 4;
    private const int ReadOnlyDirectory = 0x10000 | 0x80000; // O_RDONLY | O_DIRECTORY | O_CLOEXEC on x86-64
    private const int NoData = 6; // ENXIO: no data at or after the offset

    /// <summary>Writes a folder's entries to the disk, so that a rename in it outlives a power cut.</summary>
    /// <exception cref="HostException">The folder cannot be opened or synced.</exception>
    internal static void SyncDirectory(string path)
    {
        using SafeFileHandle handle = Open(Encoding.UTF8.GetBytes(path + '\0'), ReadOnlyDirectory);
        if (handle.IsInvalid)
        {
            throw new HostException("open", path, Marshal.GetLastPInvokeError());
        }

        if (FSync(handle) != 0)
        {
            throw new HostException("fsync", path, Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>The parts of a sparse file that hold data.</summary>
    /// <exception cref="HostException">The file system cannot tell.</exception>
    internal static IReadOnlyList<(long Offset, long Length)> DataExtents(SafeFileHandle file, string path)
    {
        var extents = new List<(long, long)>();
        long end = 0;
        while (Seek(file, end, SeekData) is var start && start >= 0)
        {
            end = Seek(file, start, SeekHole);
            if (end < 0)
            {
                break;
            }

            extents.Add((start, end - start));
        }

        int errno = Marshal.GetLastPInvokeError();
        return errno == NoData ? extents : throw new HostException("lseek", path, errno);
    }

    /// <summary>open(2).</summary>
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial SafeFileHandle Open(byte[] path, int flags);

    /// <summary>fsync(2).</summary>
    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);

    /// <summary>lseek(2) with SEEK_DATA and SEEK_HOLE (Linux 3.1).</summary>
    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle file, long offset, int whence);
}
