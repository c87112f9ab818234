using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>Volumes of the pod: writable disks that are mounted while a container uses them, and memory that stays until the machine ends.</summary>
internal sealed class VolumeMounts(BlockDevices devices) : IDisposable
{
    private const string Root = "/run/vks/volumes";

    /// <summary>What mkfs leaves in a new file system, and nobody makes again.</summary>
    private const string SignOfNewness = "lost+found";

    private readonly DiskMounts _disks = new(devices, Root, static (device, target) =>
        // Inode tables are zero already: filling them would take the host's disk. What is deleted goes back to the host.
        Mounts.Mount(device, target, "ext4", Constants.MsNoDev | Constants.MsRelatime, "noinit_itable,discard"));

    private readonly Lock _lock = new();
    private readonly HashSet<string> _inMemory = new(StringComparer.Ordinal);

    /// <summary>Mounts a disk if it is not, and counts one more user. Gives the mount point.</summary>
    internal async Task<string> AcquireDiskAsync(string serial, VolumeFolder root, CancellationToken cancellationToken)
    {
        string path = await _disks.AcquireAsync(serial, cancellationToken);
        string sign = Path.Combine(path, SignOfNewness);
        if (Directory.Exists(sign))
        {
            // The sign goes last, so that what is interrupted is done again.
            Give(path, root);
            Directory.Delete(sign);
        }

        return path;
    }

    /// <summary>Counts one user of a disk less; the last one unmounts it.</summary>
    internal Task ReleaseDiskAsync(string serial) => _disks.ReleaseAsync(serial);

    /// <summary>Gives the mount point of a volume in memory, which is made if it is not there.</summary>
    internal string InMemory(string name, VolumeSpec spec)
    {
        string path = Path.Combine(Root, DiskMounts.Checked(name));
        lock (_lock)
        {
            if (!_inMemory.Contains(name))
            {
                Mounts.Mount("tmpfs", path, "tmpfs", Constants.MsNoDev | Constants.MsRelatime, spec.MemoryBytes > 0 ? $"size={spec.MemoryBytes}" : null);
                Give(path, spec.Root);
                _inMemory.Add(name);
            }
        }

        return path;
    }

    /// <summary>Finds a path of a volume, and makes the folders that are missing.</summary>
    /// <param name="root">The volume's mount point.</param>
    /// <param name="path">Relative to it. Links lead nowhere out of it.</param>
    /// <param name="folder">What new folders are to be.</param>
    internal static string Resolve(string root, string path, VolumeFolder folder)
    {
        string found = root;
        var whole = "";
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            whole += "/" + part;
            string parent = found;
            found = Descriptors.ResolveInRoot(root, whole) ?? Make(Path.Combine(parent, part), folder);
        }

        return found;
    }

    /// <summary>Writes out and unmounts all disks, so that the next machine finds them sound.</summary>
    internal void UnmountAll() => _disks.UnmountAll();

    /// <inheritdoc/>
    public void Dispose() => _disks.Dispose();

    private static string Make(string path, VolumeFolder folder)
    {
        Directory.CreateDirectory(path);
        Give(path, folder);
        return path;
    }

    /// <summary>The mode last: a new owner takes set-id bits away.</summary>
    private static void Give(string path, VolumeFolder folder)
    {
        if (Libc.ChangeOwner(path, folder.UserId, folder.GroupId) != 0 || Libc.ChangeMode(path, folder.Mode) != 0)
        {
            throw SystemError.Last($"Giving {path} to {folder.UserId}:{folder.GroupId}");
        }
    }
}
