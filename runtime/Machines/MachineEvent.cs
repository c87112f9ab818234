namespace Vks.Runtime.Machines;

/// <summary>What happened to a machine, told to its driver. Events are handled before any waiting request.</summary>
internal abstract record MachineEvent
{
    private MachineEvent()
    {
    }

    /// <summary>The start succeeded.</summary>
    internal sealed record Started(IMachineRun Run) : MachineEvent;

    /// <summary>The start failed and was undone.</summary>
    internal sealed record StartFailed(Exception Cause) : MachineEvent;

    /// <summary>QEMU ended.</summary>
    /// <param name="How">In words.</param>
    internal sealed record QemuEnded(string How) : MachineEvent;

    /// <summary>The agent can no longer be talked to although QEMU runs.</summary>
    /// <param name="Why">In words.</param>
    internal sealed record GuestLost(string Why) : MachineEvent;

    /// <summary>QEMU did not end although it was killed.</summary>
    internal sealed record KillFailed(MachineException Cause) : MachineEvent;

    /// <summary>A disk could not be plugged in, or unplugged.</summary>
    /// <param name="Disk">The disk.</param>
    /// <param name="Work">What was tried.</param>
    internal sealed record DiskFailed(DiskAttachment Disk, Machine.DiskWork Work) : MachineEvent;

    /// <summary>All that the machine had is deleted, or could not be.</summary>
    internal sealed record Cleaned(Exception? Cause) : MachineEvent;
}
