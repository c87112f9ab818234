using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>How full a file system is.</summary>
internal static unsafe class FileSystemStatus
{
    /// <summary>How many files it can have, and how many more it can take.</summary>
    /// <param name="path">Anything on it.</param>
    /// <returns>Zeros when it cannot be told.</returns>
    internal static (long Inodes, long FreeInodes) Inodes(string path)
    {
        const int FileSystemStatusCall = 137; // statfs(2) of x86-64
        StatFs status = default;
        byte[] name = System.Text.Encoding.UTF8.GetBytes(path + "\0");
        fixed (byte* start = name)
        {
            return Libc.SystemCall(FileSystemStatusCall, (nint)start, (nint)(&status), 0, 0) == 0 ? ((long)status.Files, (long)status.FreeFiles) : (0, 0);
        }
    }

    /// <summary>struct statfs, statfs(2).</summary>
    [StructLayout(LayoutKind.Sequential, Size = 120)]
    private struct StatFs
    {
        public long Type;
        public long BlockSize;
        public ulong Blocks;
        public ulong FreeBlocks;
        public ulong AvailableBlocks;
        public ulong Files;
        public ulong FreeFiles;
    }
}
