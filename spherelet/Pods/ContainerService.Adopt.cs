using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

internal sealed partial class ContainerService
{
    /// <summary>Takes back the containers of a pod that an earlier daemon made. What the guest says of them is the truth.</summary>
    public async Task AdoptAsync(PodSandbox sandbox, CancellationToken cancellationToken)
    {
        Dictionary<string, ContainerReport>? reports = await ListInGuestAsync(sandbox, cancellationToken);
        var left = new HashSet<string>(StringComparer.Ordinal);
        foreach (ContainerRecord record in store.LoadContainers(sandbox.Id))
        {
            ContainerReport? report = null;
            reports?.Remove(record.Id, out report);
            if (!record.Made || (reports is not null && report is null && record.Phase == ContainerPhase.Created))
            {
                await ClearAsync(sandbox, record, cancellationToken);
                left.UnionWith(record.Disks);
                continue;
            }

            table.ContainerNames.Reserve(NameOf(record), record.Id);
            var container = new Container(record, sandbox, store, table.Events, hooks);
            foreach (string serial in record.Disks)
            {
                sandbox.NoteDiskUser(serial);
            }

            TakeBack(container, report);
            table.Containers[record.Id] = container;
            if (report is { State: not GuestContainerState.Exited })
            {
                // The daemon may have ended between a change in the guest and its record.
                await RestoreLimitsAsync(container);
            }
        }

        foreach (string unknown in reports?.Keys ?? Enumerable.Empty<string>())
        {
            HalfMadeContainerCleared(unknown);
            await DeleteInGuestAsync(sandbox, unknown, cancellationToken);
        }

        foreach (string serial in left)
        {
            // Counted as used once, so that it goes unless a container that was taken back uses it as well.
            sandbox.NoteDiskUser(serial);
            await sandbox.ReleaseDiskAsync(serial, cancellationToken);
        }
    }

    private void TakeBack(Container container, ContainerReport? report)
    {
        bool started = report is { State: not GuestContainerState.Created };
        if (started && container.Record.StartedUnixNanoseconds == 0 && container.Record.Phase == ContainerPhase.Created)
        {
            // The daemon ended between the start and its record.
            container.Change(record => record with
            {
                StartedUnixNanoseconds = Math.Max(record.CreatedUnixNanoseconds, report!.StartedUnixNanoseconds),
                GuestPid = report.Pid,
            });
        }

        if (container.Record.Phase == ContainerPhase.Exited)
        {
            container.NoteEnded();
        }

        if (started)
        {
            container.Follow(OpenLog(container.Record), token => follower.FollowAsync(container, token));
        }
        else if (container.Record.Phase == ContainerPhase.Running)
        {
            container.Change(record => follower.Killed(record, container.Sandbox));
        }
    }

    private async Task ClearAsync(PodSandbox sandbox, ContainerRecord record, CancellationToken cancellationToken)
    {
        HalfMadeContainerCleared(record.Id);
        if (sandbox.IsMachineRunning)
        {
            await DeleteInGuestAsync(sandbox, record.Id, cancellationToken);
        }

        await share.ReleaseContainerAsync(sandbox.Id, record.Id, sandbox.QemuPid, cancellationToken);
        store.DeleteContainer(sandbox.Id, record.Id);
    }

    /// <summary>The containers the guest has by id, or null when there is no guest any more.</summary>
    private static async Task<Dictionary<string, ContainerReport>?> ListInGuestAsync(PodSandbox sandbox, CancellationToken cancellationToken)
    {
        if (!sandbox.IsMachineRunning)
        {
            return null;
        }

        ContainerList list = await sandbox.Guest.CallAsync(
            GuestMethods.ListContainers, new Empty(), GuestJson.Default.Empty, GuestJson.Default.ContainerList, cancellationToken);
        return list.Containers.ToDictionary(report => report.ContainerId, StringComparer.Ordinal);
    }
}
