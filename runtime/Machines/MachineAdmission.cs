using System.Diagnostics;

namespace Vks.Runtime.Machines;

/// <summary>Decides what may happen to a machine now. Pure: no clock, no I/O, no memory of its own.</summary>
internal static class MachineAdmission
{
    private static readonly Admission Yes = new Admission.Accepted();
    private static readonly Admission Already = new Admission.AlreadyAsked();

    /// <summary>Whether a machine may go from one state to the other; the table stands at <see cref="MachineState"/>.</summary>
    internal static bool MayBecome(MachineState from, MachineState to) => (from, to) switch
    {
        (MachineState.Created, MachineState.Starting or MachineState.Removed) => true,
        (MachineState.Starting, MachineState.Running or MachineState.Stopping or MachineState.Stopped) => true,
        (MachineState.Running, MachineState.Stopping or MachineState.Stopped) => true,
        (MachineState.Stopping, MachineState.Stopped) => true,
        (MachineState.Stopped, MachineState.Removed) => true,
        _ => false,
    };

    /// <summary>Accepts, ignores or refuses a command.</summary>
    /// <param name="state">The machine's state now.</param>
    /// <param name="disks">The disks that are plugged in or on their way in, by serial.</param>
    /// <param name="command">What is asked.</param>
    internal static Admission Decide(MachineState state, IReadOnlyDictionary<string, DiskAttachment> disks, MachineCommand command) => command switch
    {
        MachineCommand.Start => DecideStart(state),
        MachineCommand.Stop => DecideStop(state),
        MachineCommand.AttachDisk attach => DecideAttach(state, disks, attach.Disk),
        MachineCommand.DetachDisk detach => DecideDetach(state, disks, detach.Serial),
        MachineCommand.Remove => state == MachineState.Removed ? Already : Yes,
        _ => throw new UnreachableException($"Unknown command {command.GetType().Name}."),
    };

    private static Admission DecideStart(MachineState state) => state switch
    {
        MachineState.Created => Yes,
        MachineState.Starting or MachineState.Running => Already,
        _ => WrongState($"A machine starts once; this one is {state}. Remove it and create a new one."),
    };

    private static Admission DecideStop(MachineState state) => state switch
    {
        MachineState.Starting or MachineState.Running => Yes,
        MachineState.Created => WrongState("It was never started. Remove it instead."),
        _ => Already,
    };

    private static Admission DecideAttach(MachineState state, IReadOnlyDictionary<string, DiskAttachment> disks, DiskAttachment disk)
    {
        if (state != MachineState.Running)
        {
            return WrongState($"Disks are plugged into a running machine; this one is {state}.");
        }

        if (!disks.TryGetValue(disk.Serial, out DiskAttachment? present))
        {
            return disks.Count < MaxDisks
                ? Yes
                : new Admission.Refused(MachineFault.DiskFailed, $"It has {MaxDisks} disks, the most one machine can have. Detach one first.");
        }

        return present == disk
            ? Already
            : new Admission.Refused(
                MachineFault.DiskFailed,
                $"Serial '{disk.Serial}' is taken by {present.Path}. Serials are unique in a machine; choose another one.");
    }

    private static Admission DecideDetach(MachineState state, IReadOnlyDictionary<string, DiskAttachment> disks, string serial) => state switch
    {
        MachineState.Running => disks.ContainsKey(serial) ? Yes : Already,
        MachineState.Created or MachineState.Starting => WrongState($"Disks are unplugged from a running machine; this one is {state}."),
        _ => Already,
    };

    /// <summary>Most disks of one machine besides the scratch disk: the virtio-scsi LUN range is larger, host descriptors are not.</summary>
    internal const int MaxDisks = 250;

    private static Admission.Refused WrongState(string reason) => new(MachineFault.WrongState, reason);
}
