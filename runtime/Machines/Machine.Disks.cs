using System.Collections.Immutable;

namespace Vks.Runtime.Machines;

/// <content>Disks: admitted by the driver in the order asked, carried out one at a time.</content>
public sealed partial class Machine
{
    private readonly Dictionary<string, DiskWork> _diskWork = [];
    private ImmutableDictionary<string, DiskAttachment> _disks = ImmutableDictionary<string, DiskAttachment>.Empty;
    private Task _diskLane = Task.CompletedTask;

    private void BeginAttach(DiskAttachment disk, TaskCompletionSource done)
    {
        Volatile.Write(ref _disks, _disks.Add(disk.Serial, disk));
        Enqueue(disk, done, run => run.PlugAsync(disk, _letGo.Token), attach: true);
    }

    private void BeginDetach(string serial, TaskCompletionSource done)
    {
        DiskAttachment disk = _disks[serial];
        Volatile.Write(ref _disks, _disks.Remove(serial));
        Enqueue(disk, done, run => run.UnplugAsync(serial, _letGo.Token), attach: false);
    }

    private void Enqueue(DiskAttachment disk, TaskCompletionSource done, Func<IMachineRun, Task> work, bool attach)
    {
        Task before = _diskLane;
        var mine = new DiskWork(attach, done.Task);
        _diskWork[disk.Serial] = mine;
        _diskLane = WorkAsync();

        async Task WorkAsync()
        {
            await before;
            try
            {
                await work(_run!);
                done.TrySetResult();
            }
            catch (Exception exception)
            {
                _events.Writer.TryWrite(new MachineEvent.DiskFailed(disk, mine));
                done.TrySetException(exception is MachineException
                    ? exception
                    : new MachineException(
                        MachineFault.DiskFailed,
                        Id,
                        $"Disk '{disk.Serial}' ({disk.Path}) of machine {Id.Prefix} could not be {(attach ? "plugged in" : "unplugged")}: {exception.Message}",
                        exception));
            }
        }
    }

    /// <summary>The table shows what was wanted; when that failed it goes back to what is, unless something newer was asked meanwhile.</summary>
    private void HandleDiskFailed(DiskAttachment disk, DiskWork work)
    {
        if (Current.State == MachineState.Running && _diskWork[disk.Serial] == work)
        {
            Volatile.Write(ref _disks, work.IsAttach ? _disks.Remove(disk.Serial) : _disks.SetItem(disk.Serial, disk));
        }
    }

    /// <summary>Gives the asker the outcome of the same work that another one asked for, or of none.</summary>
    private void FollowDiskWork(string serial, bool attach, TaskCompletionSource done) =>
        Follow(_diskWork.TryGetValue(serial, out DiskWork? work) && work.IsAttach == attach ? work.Outcome : Task.CompletedTask, done);

    /// <summary>Gives the asker the outcome of work that another one asked for.</summary>
    private static void Follow(Task work, TaskCompletionSource done)
    {
        _ = FollowAsync();

        async Task FollowAsync()
        {
            try
            {
                await work;
                done.TrySetResult();
            }
            catch (Exception exception)
            {
                done.TrySetException(exception);
            }
        }
    }

    /// <summary>The latest work on one serial.</summary>
    internal sealed record DiskWork(bool IsAttach, Task Outcome);
}
