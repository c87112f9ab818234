using Vks.Runtime.Guest;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>One pod sandbox and its machine. What it is at any moment follows from its record and the machine's snapshot.</summary>
/// <param name="record">What is kept of it.</param>
/// <param name="machine">Its machine, or null when that is gone for good.</param>
/// <param name="store">Where the record is kept.</param>
internal sealed class PodSandbox(PodRecord record, Machine? machine, PodStore store) : IDisposable
{
    private readonly Dictionary<string, int> _diskUsers = new(StringComparer.Ordinal);
    private PodRecord _record = record;

    /// <summary>64 hex digits.</summary>
    public string Id => _record.Id;

    /// <summary>What is kept of it.</summary>
    public PodRecord Record => Volatile.Read(ref _record);

    /// <summary>Its machine, or null when that is gone for good.</summary>
    public Machine? Machine => machine;

    /// <summary>Held while the pod's shape changes: containers made, started, removed, the pod stopped.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>Those who have a say were told that it stops. An earlier daemon told it, where that is not known.</summary>
    public bool StopTold { get; set; } = record.Stopped;

    /// <summary>Completes once everyone who listens has been told that the machine ended.</summary>
    public Task EndTold { get; private set; } = Task.CompletedTask;

    /// <summary>Containers can run in it.</summary>
    public bool IsReady => Record is { Made: true, Stopped: false } && IsMachineRunning;

    /// <summary>The process of its machine on this host, or 0 when it has ended.</summary>
    public int QemuPid => machine?.Current.QemuPid ?? 0;

    /// <summary>The guest answers.</summary>
    public bool IsMachineRunning => machine?.Current.State == MachineState.Running;

    /// <summary>The agent of the pod.</summary>
    /// <exception cref="PodException"><see cref="PodFault.WrongState"/>: the machine does not run.</exception>
    public GuestClient Guest
    {
        get
        {
            if (machine is not null && IsMachineRunning)
            {
                try
                {
                    return machine.Guest;
                }
                catch (MachineException cause) when (cause.Fault == MachineFault.WrongState)
                {
                    throw NotRunning(cause);
                }
            }

            throw NotRunning(null);
        }
    }

    /// <summary>Changes the record and keeps it. Call with <see cref="Gate"/> held.</summary>
    public void Change(Func<PodRecord, PodRecord> change)
    {
        PodRecord changed = change(_record);
        store.Save(changed);
        Volatile.Write(ref _record, changed);
    }

    /// <summary>Why the machine does not run, in words for a person; empty while it does.</summary>
    public string DownReason() =>
        IsMachineRunning ? "" : machine?.Current.Reason ?? (Record.Stopped ? "the pod was stopped" : "the pod's machine is gone");

    /// <summary>Tells the end of the machine when it comes, whoever brings it about. To be called once.</summary>
    public void TellEnd(PodEvents events) => EndTold = TellEndAsync(events);

    /// <summary>Plugs a disk in unless a container has it plugged in already. Call with <see cref="Gate"/> held.</summary>
    public async Task AcquireDiskAsync(DiskAttachment disk, CancellationToken cancellationToken)
    {
        if (_diskUsers.GetValueOrDefault(disk.Serial) == 0)
        {
            await machine!.AttachDiskAsync(disk, cancellationToken);
        }

        NoteDiskUser(disk.Serial);
    }

    /// <summary>Counts a user of a disk that an earlier daemon plugged in.</summary>
    public void NoteDiskUser(string serial) => _diskUsers[serial] = _diskUsers.GetValueOrDefault(serial) + 1;

    /// <summary>Unplugs a disk when its last user is gone. Call with <see cref="Gate"/> held.</summary>
    public async Task ReleaseDiskAsync(string serial, CancellationToken cancellationToken)
    {
        int left = _diskUsers.GetValueOrDefault(serial) - 1;
        if (left > 0)
        {
            _diskUsers[serial] = left;
            return;
        }

        if (_diskUsers.Remove(serial) && machine is not null && IsMachineRunning)
        {
            await machine.DetachDiskAsync(serial, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Gate.Dispose();

    private async Task TellEndAsync(PodEvents events)
    {
        if (machine?.Current is not { State: not (MachineState.Stopped or MachineState.Removed) } snapshot)
        {
            return;
        }

        try
        {
            while (snapshot.State is not (MachineState.Stopped or MachineState.Removed))
            {
                snapshot = await machine.WaitForChangeAsync(snapshot.Generation, CancellationToken.None);
            }
        }
        catch (MachineException cause) when (cause.Fault == MachineFault.MachineGone)
        {
            // The daemon ends; the machine goes on.
            return;
        }

        events.Publish(PodEventKind.Stopped, Id, this);
    }

    private PodException NotRunning(Exception? cause) =>
        new(PodFault.WrongState, Id, $"Pod sandbox {Id} is not ready: {DownReason()}.", cause);
}
