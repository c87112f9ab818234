using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>A copy of a part of the host's tree of mounts that hangs nowhere yet. It vanishes when it is disposed before it was attached.</summary>
/// <remarks>Made by open_tree(2), so that its propagation is settled before anything can follow it. Linux 5.12.</remarks>
public sealed unsafe class BindMount : IDisposable
{
    private const int SyscallOpenTree = 428;
    private const int SyscallMoveMount = 429;
    private const int SyscallMountSetAttr = 442;
    private const uint OpenTreeClone = 1, OpenTreeCloseOnExec = 0x80000;
    private const int Recursive = 0x8000; // AT_RECURSIVE
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const int MoveFromEmptyPath = 4; // MOVE_MOUNT_F_EMPTY_PATH
    private const ulong AttributeReadOnly = 1, AttributeNoSuid = 2, AttributeIdMap = 0x100000; // MOUNT_ATTR_RDONLY, _NOSUID, _IDMAP
    private const uint TypeMask = 0xf000, Folder = 0x4000, Regular = 0x8000;

    private readonly SafeFileHandle _tree;
    private readonly string _source;
    private readonly (ulong Device, ulong Inode) _identity;

    private BindMount(SafeFileHandle tree, string source, stat status)
    {
        (_tree, _source, _identity) = (tree, source, IdentityOf(status));
        uint type = (uint)status.st_mode & TypeMask;
        (IsFolder, IsFile) = (type == Folder, type == Regular);
    }

    /// <summary>The path leads to a folder.</summary>
    public bool IsFolder { get; }

    /// <summary>The path leads to a regular file.</summary>
    public bool IsFile { get; }

    /// <summary>
    /// Says what was taken so that two copies that say the same show the same files in the same way: where the path leads without symbolic links, and which
    /// file that is. Null when that cannot be said: something else is mounted below, or the path leads to another file by now.
    /// </summary>
    public string? TellApart()
    {
        try
        {
            const int PathOnly = 0x200000; // O_PATH
            using SafeFileHandle file = Native.Open(_source, PathOnly);
            string? path = new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{(int)file.DangerousGetHandle()}")).LinkTarget;
            bool plain = path is ['/', not '/', ..] && IdentityOf(StatusOf(file, _source)) == _identity && MountTable.Below(path).All(point => point == path);
            return plain ? string.Create(CultureInfo.InvariantCulture, $"{path}\0{_identity.Device}:{_identity.Inode}") : null;
        }
        catch (Exception gone) when (gone is HostException or IOException)
        {
            return null;
        }
    }

    /// <summary>Takes the copy: the path, symbolic links followed, and all that is mounted below it.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="followsHost">What the host mounts below the path later shows in the copy, never the other way round; false: neither.</param>
    /// <exception cref="HostException">ENOENT: there is no such path.</exception>
    public static BindMount Take(string path, bool followsHost) => Take(path, followsHost, readOnly: false);

    /// <summary>As the other; <paramref name="readOnly"/> holds for all below too.</summary>
    internal static BindMount Take(string path, bool followsHost, bool readOnly)
    {
        SafeFileHandle tree;
        fixed (byte* name = Native.ZeroTerminated(path))
        {
            int descriptor = (int)(long)LibC.syscall(SyscallOpenTree, LibC.AT_FDCWD, name, OpenTreeClone | OpenTreeCloseOnExec | (uint)Recursive);
            tree = new SafeFileHandle(Native.Check(descriptor, "open_tree", path), ownsHandle: true);
        }

        try
        {
            stat status = StatusOf(tree, path);
            var attributes = new MountAttributes
            {
                Set = readOnly ? AttributeReadOnly | AttributeNoSuid : 0,
                Propagation = followsHost ? (ulong)LibC.MS_SLAVE : (ulong)LibC.MS_PRIVATE,
            };
            SetAttributes(tree, path, attributes);
            return new BindMount(tree, path, status);
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    /// <summary>Shows the files of the copy, and of all mounted below, as owned by whom a user namespace says. Once, before it is attached.</summary>
    /// <param name="userNamespace">An id inside is the owner on disk, that id outside is the owner shown.</param>
    /// <exception cref="HostException">EINVAL: a file system among them knows no mapped ids.</exception>
    public void MapIds(SafeFileHandle userNamespace)
    {
        var attributes = new MountAttributes { Set = AttributeIdMap, UserNamespace = (ulong)userNamespace.DangerousGetHandle() };
        SetAttributes(_tree, _source, attributes, "its file system, or one mounted below it, may not know mapped ids");
        GC.KeepAlive(userNamespace);
    }

    /// <summary>Hangs the copy over an existing file or folder.</summary>
    /// <exception cref="HostException">The kernel refused.</exception>
    public void AttachTo(string target)
    {
        fixed (byte* none = "\0"u8, name = Native.ZeroTerminated(target))
        {
            int result = (int)(long)LibC.syscall(SyscallMoveMount, Number, none, LibC.AT_FDCWD, name, MoveFromEmptyPath);
            Native.Check(result, "move_mount", $"{_source} to {target}");
        }
    }

    /// <summary>Takes a mount away at once; who has a file of it open keeps only that file.</summary>
    /// <exception cref="HostException">The kernel refused; EINVAL: nothing is mounted there.</exception>
    public static void Detach(string target)
    {
        fixed (byte* name = Native.ZeroTerminated(target))
        {
            Native.Check(LibC.umount2(name, LibC.MNT_DETACH), "umount2", target);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _tree.Dispose();

    private int Number => (int)_tree.DangerousGetHandle();

    private static void SetAttributes(SafeFileHandle tree, string source, MountAttributes attributes, string advice = "the daemon must run as root")
    {
        fixed (byte* none = "\0"u8)
        {
            int result = (int)(long)LibC.syscall(
                SyscallMountSetAttr, (int)tree.DangerousGetHandle(), none, EmptyPath | Recursive, &attributes, sizeof(MountAttributes));
            Native.Check(result, "mount_setattr", source, advice);
        }
    }

    private static stat StatusOf(SafeFileHandle file, string path)
    {
        stat status = default;
        Native.Check(LibC.fstat((int)file.DangerousGetHandle(), &status), "fstat", path);
        return status;
    }

    private static (ulong Device, ulong Inode) IdentityOf(stat status) => ((ulong)status.st_dev, (ulong)status.st_ino);

    /// <summary>struct mount_attr, mount_setattr(2).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MountAttributes
    {
        public ulong Set;
        public ulong Clear;
        public ulong Propagation;
        public ulong UserNamespace;
    }
}
