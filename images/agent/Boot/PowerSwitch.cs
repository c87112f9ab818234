using Vks.Agent.Containers;
using Vks.Agent.Disks;
using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>Ends the guest in order: containers, file systems, machine.</summary>
internal sealed class PowerSwitch(ContainerTable containers, Scratch scratch, VolumeMounts volumes, TimeProvider time)
{
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(2);

    /// <summary>Stops every container (TERM, two seconds, KILL), writes out the disks, resets the machine. Does not return.</summary>
    /// <remarks>
    /// A microvm without ACPI cannot be powered off: RB_POWER_OFF halts the CPU and QEMU stays. A reset makes QEMU exit, since it is
    /// started with -no-reboot.
    /// </remarks>
    internal async Task OffAsync()
    {
        try
        {
            await containers.StopAllAsync(_grace, time);
            Libc.Sync();
            volumes.UnmountAll();
            scratch.Unmount();
        }
        catch (Exception exception)
        {
            Console.Log($"stopping before power-off: {exception.Message}");
        }

        Libc.Sync();
        _ = Libc.Reboot(Constants.RebootRestart);
    }
}
