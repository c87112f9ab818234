using System.Buffers.Binary;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>Gives all files of an overlay to the users of a user namespace: what 0 owns belongs to the namespace's 0 afterwards.</summary>
/// <remarks>
/// squashfs of Linux 6.1 cannot be mounted with mapped ids, so each file's owner is changed. An overlay mounted with <c>metacopy=on</c>
/// copies the inode alone for that, not the content.
/// </remarks>
internal static unsafe class OwnerShift
{
    private const int AtFolder = -100, NoFollow = 0x100; // AT_FDCWD, AT_SYMLINK_NOFOLLOW
    private const uint TypeModeOwner = 0x1 | 0x2 | 0x8 | 0x10; // STATX_TYPE, STATX_MODE, STATX_UID, STATX_GID
    private const int StatusBytes = 256, UidOffset = 20, GidOffset = 24, ModeOffset = 28; // struct statx, statx(2)
    private const uint TypeMask = 0xf000, Folder = 0x4000, Link = 0xa000, Permissions = 0xfff, SetIds = 0xc00;
    private const string Capability = "security.capability";
    private const int CapabilityBytes = 20, OwnedCapabilityBytes = 24; // struct vfs_cap_data, vfs_ns_cap_data, capabilities(7)
    private const uint RevisionMask = 0xff000000, OwnedRevision = 0x03000000;

    /// <summary>Changes the owners of the folder and all below it, symbolic links not followed.</summary>
    /// <param name="root">The overlay, which nobody uses yet.</param>
    /// <param name="map">The namespace; an id that it does not have stays, and shows as nobody's in it.</param>
    /// <param name="cancellationToken">Ends the work, which is then half done.</param>
    internal static void Apply(string root, GuestUserNamespace map, CancellationToken cancellationToken)
    {
        var folders = new Stack<string>();
        Change(root, map, folders);
        while (folders.TryPop(out string? folder))
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (string path in Directory.GetFileSystemEntries(folder))
            {
                Change(path, map, folders);
            }
        }
    }

    /// <summary>An id outside of the namespace.</summary>
    internal static uint Outside(uint id, IdRange range) => id < range.Length ? range.First + id : id;

    /// <summary>File capabilities that hold in the user namespace whose 0 is <paramref name="root"/> outside; null for what is none.</summary>
    internal static byte[]? OwnedCapability(ReadOnlySpan<byte> capability, uint root)
    {
        if (capability.Length != CapabilityBytes)
        {
            return null;
        }

        var owned = new byte[OwnedCapabilityBytes];
        capability.CopyTo(owned);
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(owned) & ~RevisionMask;
        BinaryPrimitives.WriteUInt32LittleEndian(owned, flags | OwnedRevision);
        BinaryPrimitives.WriteUInt32LittleEndian(owned.AsSpan(CapabilityBytes), root);
        return owned;
    }

    private static void Change(string path, GuestUserNamespace map, Stack<string> folders)
    {
        byte* status = stackalloc byte[StatusBytes];
        Check(Libc.Status(AtFolder, path, NoFollow, TypeModeOwner, status), "Looking at", path);
        uint mode = *(ushort*)(status + ModeOffset);
        byte[]? capability = (mode & TypeMask) is Folder or Link ? null : ReadCapability(path, map.Uids.First);
        Check(Libc.ChangeOwner(path, Outside(*(uint*)(status + UidOffset), map.Uids), Outside(*(uint*)(status + GidOffset), map.Gids)), "Changing the owner of", path);
        if ((mode & TypeMask) == Folder)
        {
            folders.Push(path);
            return;
        }

        // A new owner costs a file its set-id bits and its capabilities, whoever gives it one.
        if ((mode & SetIds) != 0 && (mode & TypeMask) != Link)
        {
            Check(Libc.ChangeMode(path, mode & Permissions), "Changing the mode of", path);
        }

        if (capability is not null)
        {
            fixed (byte* value = capability)
            {
                Check(Libc.SetAttribute(path, Capability, value, (nuint)capability.Length, 0), "Keeping the capabilities of", path);
            }
        }
    }

    private static byte[]? ReadCapability(string path, uint root)
    {
        byte* value = stackalloc byte[OwnedCapabilityBytes];
        nint length = Libc.GetAttribute(path, Capability, value, OwnedCapabilityBytes);
        return length > 0 ? OwnedCapability(new ReadOnlySpan<byte>(value, (int)length), root) : null;
    }

    private static void Check(int result, string what, string path)
    {
        if (result != 0)
        {
            throw SystemError.Last($"{what} {path}");
        }
    }
}
