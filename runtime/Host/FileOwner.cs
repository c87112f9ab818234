using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Who may use a file.</summary>
/// <param name="UserId">Its owner.</param>
/// <param name="GroupId">Its group.</param>
/// <param name="Mode">Its permission bits.</param>
public sealed record FileOwner(uint UserId, uint GroupId, UnixFileMode Mode)
{
    /// <summary>Reads it (stat(2)); null when there is no such file.</summary>
    public static unsafe FileOwner? Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        stat status = default;
        fixed (byte* name = Native.ZeroTerminated(path))
        {
            return LibC.stat(name, &status) == 0
                ? new FileOwner((uint)status.st_uid, (uint)status.st_gid, (UnixFileMode)((uint)status.st_mode & 0xfff))
                : null;
        }
    }

    /// <summary>Gives a file or folder to a user and group (chown(2)).</summary>
    /// <exception cref="HostException">No such file, or the daemon is not root.</exception>
    internal static unsafe void Change(string path, uint userId, uint groupId)
    {
        fixed (byte* name = Native.ZeroTerminated(path))
        {
            Native.Check(LibC.lchown(name, userId, groupId), "lchown", path);
        }
    }
}
