using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;

namespace Vks.Runtime.Machines;

/// <summary>What the writable disks of all machines take of their file system.</summary>
/// <param name="Directory">A directory on that file system.</param>
/// <param name="UsedBytes">Bytes that hold data; the disks are sparse.</param>
/// <param name="UsedInodes">Files and folders of machines.</param>
public sealed record ScratchUsage(string Directory, long UsedBytes, long UsedInodes)
{
    /// <summary>Looks at the files.</summary>
    internal static ScratchUsage Measure(CrxEngineOptions options)
    {
        string root = MachineFiles.StateRoot(options);
        (long bytes, long inodes) = (0, 1);
        var folder = new DirectoryInfo(root);
        foreach (FileSystemInfo info in folder.Exists ? folder.EnumerateFileSystemInfos("*", s_all) : [])
        {
            inodes++;
            bytes += info is FileInfo file ? DataBytes(file.FullName) : 0;
        }

        return new ScratchUsage(root, bytes, inodes);
    }

    // A machine may be removed while it is looked at.
    private static readonly EnumerationOptions s_all = new() { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0 };

    private static long DataBytes(string path)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return HostFile.DataExtents(file, path).Sum(static extent => extent.Length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or HostException)
        {
            return 0;
        }
    }
}
