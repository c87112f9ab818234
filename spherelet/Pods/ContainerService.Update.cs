using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

internal sealed partial class ContainerService
{
    private const long MiB = 1024 * 1024;

    /// <summary>How long the guest may take to go back to the limits it had when a change could not be kept.</summary>
    private static readonly TimeSpan RestoreLimit = TimeSpan.FromSeconds(5);

    /// <summary>Changes limits of a container that has not ended, all or none.</summary>
    /// <param name="id">The container, or a beginning of its id.</param>
    /// <param name="change">Zero and null fields are left as they are; <see cref="ResourceChange.Unlimited"/> takes a limit away.</param>
    /// <param name="oomScoreAdjust">-1000 to 1000; 0 leaves it as it is.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <exception cref="PodException">
    /// <see cref="PodFault.WrongState"/>: it has ended, or is to have more memory than its machine. <see cref="PodFault.InvalidConfig"/>:
    /// the limits contradict each other.
    /// </exception>
    /// <exception cref="GuestException">The guest's kernel refused; nothing is changed.</exception>
    public async Task UpdateAsync(string id, ResourceLimits change, int oomScoreAdjust, CancellationToken cancellationToken)
    {
        Container container = table.FindContainer(id);
        IReadOnlyList<LimitChange> others;
        await container.Sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            RequireChangeable(container);
            using IDisposable entry = await hooks.EnterAsync(cancellationToken);
            (change, others) = await hooks.ContainerUpdatesAsync(container, change, cancellationToken);
            await ChangeHeldAsync(container, change, oomScoreAdjust, cancellationToken);
            await hooks.ContainerUpdatedAsync(container);
        }
        finally
        {
            container.Sandbox.Gate.Release();
        }

        await ChangeOthersAsync(container.Id, others, cancellationToken);
    }

    /// <summary>Carries out a change that somebody else than a caller of CRI asks for, without asking anybody.</summary>
    /// <exception cref="PodException">As in <see cref="UpdateAsync"/>, or there is no such container.</exception>
    /// <exception cref="GuestException">The guest's kernel refused; nothing is changed.</exception>
    public async Task ChangeAsync(LimitChange change, CancellationToken cancellationToken)
    {
        Container container = table.FindContainer(change.ContainerId);
        await container.Sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            RequireChangeable(container);
            await ChangeHeldAsync(container, change.Change, 0, cancellationToken);
        }
        finally
        {
            container.Sandbox.Gate.Release();
        }
    }

    /// <summary>Carries out what others asked for when a container was made or changed. Those pods' gates are taken, so none may be held.</summary>
    private async Task ChangeOthersAsync(string id, IReadOnlyList<LimitChange> others, CancellationToken cancellationToken)
    {
        foreach (LimitChange other in others)
        {
            try
            {
                await ChangeAsync(other, cancellationToken);
            }
            catch (Exception cause) when (cause is PodException or GuestException)
            {
                OtherNotChanged(id, other.ContainerId, cause);
                if (!other.MayFail)
                {
                    throw;
                }
            }
        }
    }

    private void RequireChangeable(Container container)
    {
        if (table.FindContainer(container.Id).Record.Phase == ContainerPhase.Exited)
        {
            throw new PodException(PodFault.WrongState, container.Id, $"Container {container.Id} has ended; limits are changed of one that is created or runs.");
        }

        RequireReady(container.Sandbox);
    }

    private async Task ChangeHeldAsync(Container container, ResourceLimits change, int oomScoreAdjust, CancellationToken cancellationToken)
    {
        ContainerConfig present = container.Record.Config;
        ContainerConfig changed = present with
        {
            Resources = ResourceChange.Apply(present.Resources, change),
            OomScoreAdjust = oomScoreAdjust != 0 ? oomScoreAdjust : present.OomScoreAdjust,
        };
        RequireMemory(container, changed.Resources.MemoryBytes);
        try
        {
            await LimitInGuestAsync(container, changed, cancellationToken);
            container.Change(record => record with { Config = changed });
        }
        catch (Exception cause) when (cause is not GuestException { ConnectionLost: false })
        {
            await RestoreLimitsAsync(container);
            throw;
        }

        LimitsChanged(container.Id, changed.Resources.MemoryBytes, changed.Resources.CpuQuotaMicroseconds, changed.Resources.CpuShares);
    }

    /// <summary>A machine's memory cannot grow while it runs, so more than it has would be a promise that nobody keeps.</summary>
    private static void RequireMemory(Container container, long memoryBytes)
    {
        int size = container.Sandbox.Machine!.Spec.MemoryMiB;
        long most = MachinePlan.MostBytes(size);
        if (memoryBytes > Math.Max(most, container.Record.Config.Resources.MemoryBytes))
        {
            throw new PodException(
                PodFault.WrongState,
                container.Id,
                $"Container {container.Id} cannot have {memoryBytes} bytes of memory: its machine has {size} MiB, of which {size - (most / MiB)} are the guest's own, and that cannot grow while it runs. Make the pod anew with that limit.");
        }
    }

    /// <summary>Puts in force in the guest what is kept of the container; not to be had is told in the log.</summary>
    private async Task RestoreLimitsAsync(Container container)
    {
        using var patience = new CancellationTokenSource(RestoreLimit, time);
        try
        {
            await LimitInGuestAsync(container, container.Record.Config, patience.Token);
        }
        catch (Exception cause) when (cause is GuestException or PodException or OperationCanceledException)
        {
            // The next daemon tries again, see AdoptAsync.
            LimitsNotRestored(container.Id, cause);
        }
    }

    private static Task<Empty> LimitInGuestAsync(Container container, ContainerConfig config, CancellationToken cancellationToken) =>
        container.Sandbox.Guest.CallAsync(
            GuestMethods.UpdateContainer,
            new UpdateRequest(container.Id, config.Resources, config.OomScoreAdjust),
            GuestJson.Default.UpdateRequest,
            GuestJson.Default.Empty,
            cancellationToken);

    [LoggerMessage(3153, LogLevel.Information, "Container {ContainerId} has new limits: {MemoryBytes} bytes, {CpuQuota} us of CPU each period, {CpuShares} shares (0: none)")]
    private partial void LimitsChanged(string containerId, long memoryBytes, long cpuQuota, long cpuShares);

    [LoggerMessage(3155, LogLevel.Warning, "Container {ContainerId} was to have container {OtherId} changed too, which failed")]
    private partial void OtherNotChanged(string containerId, string otherId, Exception cause);

    [LoggerMessage(3154, LogLevel.Warning, "Container {ContainerId}: the guest may have other limits than those that are kept, until the daemon starts anew or they are changed again")]
    private partial void LimitsNotRestored(string containerId, Exception cause);
}
