namespace Vks.Agent.Host;

/// <summary>What the kernel knows of a file.</summary>
internal static unsafe class FileStatus
{
    /// <summary>S_IFMT and S_IFDIR of inode(7).</summary>
    private const uint FormatMask = 0xf000;
    private const uint Folder = 0x4000;

    /// <summary>Looks without following a link.</summary>
    /// <returns>False when there is no such file any more.</returns>
    internal static bool TryRead(string path, out Stat stat)
    {
        const int LinkStatCall = 6; // lstat(2) of x86-64
        stat = default;
        byte[] name = System.Text.Encoding.UTF8.GetBytes(path + "\0");
        fixed (byte* start = name)
        {
            fixed (Stat* place = &stat)
            {
                return Libc.SystemCall(LinkStatCall, (nint)start, (nint)place, 0, 0) == 0;
            }
        }
    }

    /// <summary>Whether it is a folder.</summary>
    internal static bool IsFolder(in Stat stat) => (stat.Mode & FormatMask) == Folder;
}
