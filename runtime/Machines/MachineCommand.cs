namespace Vks.Runtime.Machines;

/// <summary>What anyone may ask of a machine. Requests wait in a channel until the machine's driver decides on them.</summary>
internal abstract record MachineCommand
{
    private MachineCommand()
    {
    }

    /// <summary>Start it. Completes when the agent answers.</summary>
    internal sealed record Start : MachineCommand;

    /// <summary>Power it off.</summary>
    /// <param name="Grace">Time the guest may take; zero kills at once.</param>
    internal sealed record Stop(TimeSpan Grace) : MachineCommand;

    /// <summary>Plug a disk in.</summary>
    /// <param name="Disk">The disk.</param>
    internal sealed record AttachDisk(DiskAttachment Disk) : MachineCommand;

    /// <summary>Unplug a disk.</summary>
    /// <param name="Serial">Its SCSI serial.</param>
    internal sealed record DetachDisk(string Serial) : MachineCommand;

    /// <summary>End it at once if it runs and delete all it had.</summary>
    internal sealed record Remove : MachineCommand;
}
