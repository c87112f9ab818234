using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>Read-only image disks, each mounted once for all its users and unmounted after the last.</summary>
internal sealed class ImageMounts(BlockDevices devices) : IDisposable
{
    private const string Root = "/run/vks/images";
    private readonly Dictionary<string, int> _users = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Mounts the disk if it is not, and counts one more user. Gives the mount point.</summary>
    internal async Task<string> AcquireAsync(string serial, CancellationToken cancellationToken)
    {
        if (serial.Length is 0 or > 20 || serial.AsSpan().ContainsAny('/', '\0') || serial is "." or "..")
        {
            throw new AgentException(GuestFault.InvalidRequest, $"'{serial}' is no disk serial: 1 to 20 characters without '/' are expected.");
        }

        string target = Path.Combine(Root, serial);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (!_users.TryGetValue(serial, out int users))
            {
                string device = await devices.FindAsync(serial, cancellationToken);
                Mounts.Mount(device, target, DiskFormat.OfDisk(device), Constants.MsReadOnly);
            }

            _users[serial] = users + 1;
            return target;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Counts one user less; the last unmounts.</summary>
    internal async Task ReleaseAsync(string serial)
    {
        await _gate.WaitAsync();
        try
        {
            if (!_users.TryGetValue(serial, out int users))
            {
                return;
            }

            if (users > 1)
            {
                _users[serial] = users - 1;
                return;
            }

            _users.Remove(serial);
            string target = Path.Combine(Root, serial);
            Mounts.Unmount(target);
            _ = Libc.RemoveDirectory(target);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();
}
