using Vks.Agent.Host;

namespace Vks.Agent.Disks;

/// <summary>Where the writable layers live: the pod's scratch disk, or memory when it has none.</summary>
internal sealed class Scratch(BlockDevices devices)
{
    /// <summary>The mount point.</summary>
    internal const string Root = "/run/vks/scratch";

    private bool _mounted;

    /// <summary>Mounts the scratch disk; null leaves the layers on the tmpfs of /run.</summary>
    internal async Task MountAsync(string? serial, CancellationToken cancellationToken)
    {
        if (serial is null || _mounted)
        {
            Directory.CreateDirectory(Root);
            return;
        }

        string device = await devices.FindAsync(serial, cancellationToken);
        // The disk dies with the pod: barriers would only make it slower.
        Mounts.Mount(device, Root, "ext4", Constants.MsNoDev | Constants.MsRelatime, "nobarrier");
        _mounted = true;
    }

    /// <summary>Unmounts the disk, so that the host finds a clean file system.</summary>
    internal void Unmount()
    {
        if (_mounted)
        {
            Mounts.Unmount(Root);
            _mounted = false;
        }
    }
}
