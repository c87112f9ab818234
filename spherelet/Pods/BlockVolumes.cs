using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>Block devices of the host that containers get: looked at before anything is changed, then plugged into the pod's machine as disks.</summary>
internal static class BlockVolumes
{
    /// <summary>Finds the host's block devices among a container's devices.</summary>
    /// <returns>The devices, each of the host's with its number.</returns>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a device of the host that is missing, no block device, without a medium, or that cannot be opened as asked.</exception>
    public static async Task<IReadOnlyList<ContainerDevice>> FindAsync(IReadOnlyList<ContainerDevice> devices, CancellationToken cancellationToken) =>
        devices.All(static device => GuestDeviceList.Contains(device.HostPath))
            ? devices
            // On a thread of the pool: a device that is not there any more may take its time to say so.
            : await Task.Run(() => devices.Select(static device => GuestDeviceList.Contains(device.HostPath) ? device : Find(device)).ToArray(), cancellationToken)
                .WaitAsync(cancellationToken);

    /// <summary>What is plugged into the machine for a container, each device once.</summary>
    public static IEnumerable<DiskAttachment> Disks(ContainerConfig config) => config.Devices
        .Where(static device => device.Device is not null)
        .DistinctBy(static device => device.DiskSerial)
        .Select(static device => new DiskAttachment(device.DiskSerial!, device.HostPath, device.ReadOnly) { Device = device.Device });

    private static ContainerDevice Find(ContainerDevice device)
    {
        try
        {
            using SafeFileHandle file = HostBlockDevice.Open(device.HostPath, device.ReadOnly, out HostBlockDevice number);
            return HostBlockDevice.SizeOf(file, device.HostPath) > 0
                ? device with { Device = number }
                : throw Invalid(device, "is a block device without a medium: it holds no bytes");
        }
        catch (HostException cause) when (cause.ErrnoName == "ENOTBLK")
        {
            throw Invalid(
                device,
                $"is no block device. A machine gets block devices of its host; of all others it has its own: {string.Join(", ", GuestDeviceList.All)}");
        }
        catch (HostException cause) when (cause.ErrnoName is "ENOENT" or "ENOTDIR" or "ELOOP" or "ENAMETOOLONG")
        {
            throw Invalid(device, $"is not there ({cause.ErrnoName})");
        }
        catch (HostException cause)
        {
            throw Invalid(device, $"cannot be opened for {(device.ReadOnly ? "reading" : "reading and writing")}: {cause.Message}");
        }
    }

    private static PodException Invalid(ContainerDevice device, string rule) =>
        new(PodFault.InvalidConfig, device.HostPath, $"Device '{device.HostPath}' for '{device.ContainerPath}' {rule}.");
}
