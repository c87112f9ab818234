using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>A device node as a container gets it.</summary>
/// <param name="Node">The node that crun makes.</param>
/// <param name="Access">Of <c>r</c>, <c>w</c>, <c>m</c>.</param>
internal sealed record GuestDevice(OciDevice Node, string Access)
{
    /// <summary>The guest's node, where it is bound into the container instead of making one there; else null.</summary>
    internal string? BoundFrom { get; init; }
}

/// <summary>Who a container's disks belong to.</summary>
/// <param name="User">The user of its first process.</param>
/// <param name="UserNamespace">Its user namespace, or null for the guest's.</param>
internal sealed record DeviceOwner(ResolvedUser User, GuestUserNamespace? UserNamespace);

/// <summary>Finds device nodes in the guest's /dev.</summary>
internal static unsafe class GuestDevices
{
    private const string Root = "/dev";
    private const uint OwnerAndGroup = 0x1b0, Everyone = 0x1b6; // 0660, 0666
    private const uint FormatMask = 0xf000, CharacterDevice = 0x2000, BlockDevice = 0x6000, PermissionMask = 0x1ff;

    /// <summary>What crun makes in every container, and what belongs to the container alone.</summary>
    private static readonly string[] _own =
        ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx"];

    /// <summary>The devices that a container asks for, or all of the guest's when it is privileged.</summary>
    /// <param name="spec">The container.</param>
    /// <param name="disks">The guest's nodes of its disks, by serial.</param>
    /// <param name="owner">Who gets the disks.</param>
    /// <exception cref="AgentException">InvalidRequest: one of them is not there.</exception>
    internal static IReadOnlyList<GuestDevice> Of(ContainerSpec spec, IReadOnlyDictionary<string, string> disks, DeviceOwner owner)
    {
        var devices = new List<GuestDevice>();
        foreach (DeviceSpec wanted in spec.Devices)
        {
            if (wanted.Disk is { } serial)
            {
                devices.Add(Disk(wanted, disks[serial], owner));
                continue;
            }

            if (_own.Contains(wanted.ContainerPath))
            {
                continue;
            }

            OciDevice node = Read(wanted.GuestPath)
                ?? throw new AgentException(GuestFault.InvalidRequest, $"The guest has no device '{wanted.GuestPath}'.");
            devices.Add(new GuestDevice(node with { Path = wanted.ContainerPath }, wanted.Access));
        }

        if (spec.Privileged)
        {
            AddAll(Root, devices);
        }

        return devices;
    }

    private static GuestDevice Disk(DeviceSpec wanted, string path, DeviceOwner owner)
    {
        if (_own.Contains(wanted.ContainerPath))
        {
            throw new AgentException(GuestFault.InvalidRequest, $"'{wanted.ContainerPath}' is a device of every container and cannot be a disk.");
        }

        OciDevice node = Read(path) ?? throw new AgentException(GuestFault.NotFound, $"The disk '{wanted.Disk}' has no device '{path}'.");
        if (owner.UserNamespace is not { } map)
        {
            return new GuestDevice(node with { Path = wanted.ContainerPath, FileMode = OwnerAndGroup, Uid = owner.User.Uid, Gid = owner.User.Gid }, wanted.Access);
        }

        // No node can be made in a user namespace. The guest's own is reached by nobody but those who are given it.
        if (Libc.ChangeOwner(path, map.Uids.First, map.Gids.First) != 0 || Libc.ChangeMode(path, Everyone) != 0)
        {
            throw SystemError.Last($"Giving {path} to the pod's root");
        }

        return new GuestDevice(node with { Path = wanted.ContainerPath }, wanted.Access) { BoundFrom = path };
    }

    private static void AddAll(string folder, List<GuestDevice> devices)
    {
        foreach (string path in Directory.EnumerateFileSystemEntries(folder))
        {
            // pts, shm and mqueue are mounts of the container's own; links lead to what is found anyway.
            if (path is "/dev/pts" or "/dev/shm" or "/dev/mqueue" || _own.Contains(path) || new FileInfo(path).LinkTarget is not null)
            {
                continue;
            }

            if (Read(path) is { } node)
            {
                if (!devices.Exists(present => present.Node.Path == path))
                {
                    devices.Add(new GuestDevice(node, "rwm"));
                }
            }
            else if (Directory.Exists(path))
            {
                AddAll(path, devices);
            }
        }
    }

    /// <returns>The node, or null for anything that is no device.</returns>
    private static OciDevice? Read(string path)
    {
        const int StatCall = 4; // stat(2) of x86-64
        Stat stat = default;
        byte[] name = System.Text.Encoding.UTF8.GetBytes(path + "\0");
        fixed (byte* start = name)
        {
            if (Libc.SystemCall(StatCall, (nint)start, (nint)(&stat), 0, 0) != 0)
            {
                return null;
            }
        }

        string? type = (stat.Mode & FormatMask) switch { CharacterDevice => "c", BlockDevice => "b", _ => null };
        return type is null
            ? null
            : new OciDevice(path, type, Major(stat.DeviceNumber), Minor(stat.DeviceNumber), stat.Mode & PermissionMask, stat.Uid, stat.Gid);
    }

    /// <summary>As gnu_dev_major(3) of glibc takes it apart.</summary>
    private static long Major(ulong device) => (long)(((device >> 8) & 0xfff) | ((device >> 32) & ~0xffful));

    private static long Minor(ulong device) => (long)((device & 0xff) | ((device >> 12) & ~0xfful));
}
