using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>Disks, each mounted once for all its users and unmounted after the last.</summary>
/// <param name="devices">Finds them.</param>
/// <param name="root">The folder of the mount points.</param>
/// <param name="mount">Mounts a device (first) on a folder (second).</param>
internal sealed class DiskMounts(BlockDevices devices, string root, Action<string, string> mount) : IDisposable
{
    private readonly Dictionary<string, int> _users = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Mounts the disk if it is not, and counts one more user. Gives the mount point.</summary>
    internal async Task<string> AcquireAsync(string serial, CancellationToken cancellationToken)
    {
        string target = Path.Combine(root, Checked(serial));
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (!_users.TryGetValue(serial, out int users))
            {
                mount(await devices.FindAsync(serial, cancellationToken), target);
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
            string target = Path.Combine(root, serial);
            Mounts.Unmount(target);
            _ = Libc.RemoveDirectory(target);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Unmounts all, whoever uses them: the guest ends.</summary>
    internal void UnmountAll()
    {
        foreach (string serial in _users.Keys)
        {
            Mounts.Unmount(Path.Combine(root, serial));
        }
    }

    /// <summary>A serial that can be the name of a folder.</summary>
    /// <exception cref="AgentException">InvalidRequest: it cannot.</exception>
    internal static string Checked(string serial) => serial.Length is 0 or > 20 || serial.AsSpan().ContainsAny('/', '\0') || serial is "." or ".."
        ? throw new AgentException(GuestFault.InvalidRequest, $"'{serial}' is no disk serial: 1 to 20 characters without '/' are expected.")
        : serial;

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();
}
