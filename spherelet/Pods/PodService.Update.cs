using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

internal sealed partial class PodService
{
    /// <summary>How long the guest may take to go back to the limits it had when a change could not be kept.</summary>
    private static readonly TimeSpan RestoreLimit = TimeSpan.FromSeconds(5);

    /// <summary>Changes what a pod's containers may use together, all or nothing. Its machine keeps the size it has.</summary>
    /// <remarks>
    /// Memory and quota are kept by the cgroup of all containers in the guest: what containers give up there, the guest's kernel gives
    /// back to the host by itself (free page reporting), so no balloon is needed. Shares are those of QEMU's cgroup on the host, where
    /// pods compete.
    /// </remarks>
    /// <param name="id">The pod, or a beginning of its id.</param>
    /// <param name="resources">Zero and null fields are left as they are; <see cref="ResourceChange.Unlimited"/> takes a limit away.</param>
    /// <param name="overhead">The same, of what the pod takes beside its containers.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <exception cref="PodException">
    /// <see cref="PodFault.WrongState"/>: the pod is not ready, would need a larger machine, or the host has no CPU shares to give.
    /// </exception>
    /// <exception cref="GuestException">The guest's kernel refused; nothing is changed.</exception>
    public async Task UpdateAsync(string id, ResourceLimits resources, ResourceLimits overhead, CancellationToken cancellationToken)
    {
        PodSandbox sandbox = table.FindPod(id);
        await sandbox.Gate.WaitAsync(cancellationToken);
        try
        {
            table.FindPod(sandbox.Id);
            if (!sandbox.IsReady)
            {
                throw new PodException(PodFault.WrongState, sandbox.Id, $"Pod sandbox {sandbox.Id} is not ready: {sandbox.DownReason()}.");
            }

            PodRecord changed = Changed(sandbox.Record, resources, overhead);
            RequireSize(sandbox, changed.Config);
            using IDisposable entry = await hooks.EnterAsync(cancellationToken);
            await hooks.PodUpdatesAsync(sandbox, changed.Config.Resources, changed.Config.Overhead, cancellationToken);
            await ApplyAsync(sandbox, changed, cancellationToken);
            await hooks.PodUpdatedAsync(sandbox);
            PodLimitsChanged(sandbox.Id, changed.Limits!.MemoryBytes, changed.Limits.CpuQuotaMicroseconds, changed.Limits.CpuShares);
        }
        finally
        {
            sandbox.Gate.Release();
        }
    }

    /// <summary>The pod as it is to be.</summary>
    private static PodRecord Changed(PodRecord record, ResourceLimits resources, ResourceLimits overhead) => record with
    {
        Config = record.Config with
        {
            Resources = ResourceChange.Apply(record.Config.Resources, resources),
            Overhead = ResourceChange.Apply(record.Config.Overhead, overhead),
        },
        Limits = ResourceChange.Apply(record.Limits ?? new ResourceLimits(), resources),
    };

    private async Task ApplyAsync(PodSandbox sandbox, PodRecord changed, CancellationToken cancellationToken)
    {
        try
        {
            await LimitInGuestAsync(sandbox, changed.Limits!, cancellationToken);
            if (changed.Config.Resources.CpuShares != sandbox.Record.Config.Resources.CpuShares
                && sandbox.Machine!.SetCpuShares(SharesOf(changed)) is { } reason)
            {
                throw new PodException(PodFault.WrongState, sandbox.Id, $"Pod sandbox {sandbox.Id} cannot have other CPU shares: {reason}.");
            }

            sandbox.Change(present => present with { Config = changed.Config, Limits = changed.Limits });
        }
        catch (Exception cause) when (cause is not GuestException { ConnectionLost: false })
        {
            await RestoreLimitsAsync(sandbox);
            throw;
        }
    }

    /// <summary>Memory and vCPUs are those the machine was started with; less can be used of them, more cannot.</summary>
    private static void RequireSize(PodSandbox sandbox, PodConfig config)
    {
        if (config.Resources.CpuQuotaMicroseconds > 0 && config.Resources.CpuQuotaMicroseconds * 100 < PeriodOf(config))
        {
            throw new PodException(
                PodFault.InvalidConfig,
                sandbox.Id,
                $"cpu_quota is {config.Resources.CpuQuotaMicroseconds} of {PeriodOf(config)}, less than a hundredth of a CPU: the pod's containers could not even end when they are killed.");
        }

        MachineSpec machine = sandbox.Machine!.Spec;
        int memory = MachinePlan.MemoryMiB(config.Resources, config.Overhead, defaultMiB: 0, HostSize.Here);
        int vcpus = MachinePlan.VcpuCount(config.Resources, config.Overhead, defaultCount: 0, HostSize.Here);
        if (memory > machine.MemoryMiB || vcpus > machine.VcpuCount)
        {
            throw new PodException(
                PodFault.WrongState,
                sandbox.Id,
                $"Pod sandbox {sandbox.Id} would need a machine of {Math.Max(vcpus, 1)} vCPU and {memory} MiB, overhead included; its own has {machine.VcpuCount} and {machine.MemoryMiB} MiB and cannot grow while it runs. Make the pod anew with those limits.");
        }
    }

    private static long PeriodOf(PodConfig config) => config.Resources.CpuPeriodMicroseconds > 0 ? config.Resources.CpuPeriodMicroseconds : 100_000;

    /// <summary>Puts in force what is kept of the pod; not to be had is told in the log.</summary>
    private async Task RestoreLimitsAsync(PodSandbox sandbox)
    {
        SetShares(sandbox);
        using var patience = new CancellationTokenSource(RestoreLimit, time);
        try
        {
            await LimitInGuestAsync(sandbox, sandbox.Record.Limits ?? new ResourceLimits(), patience.Token);
        }
        catch (Exception cause) when (cause is GuestException or PodException or OperationCanceledException)
        {
            PodLimitsNotRestored(sandbox.Id, cause);
        }
    }

    private void SetShares(PodSandbox sandbox)
    {
        if (sandbox.Record.Config.Resources.CpuShares > 0 && sandbox.Machine?.SetCpuShares(SharesOf(sandbox.Record)) is { } reason)
        {
            SharesNotSet(sandbox.Id, reason);
        }
    }

    private static long SharesOf(PodRecord record)
    {
        const long Usual = 1024;
        return record.Config.Resources.CpuShares > 0 ? record.Config.Resources.CpuShares : Usual;
    }

    /// <summary>Shares are left out: within its machine a pod competes with nobody.</summary>
    private static Task<Empty> LimitInGuestAsync(PodSandbox sandbox, ResourceLimits limits, CancellationToken cancellationToken) =>
        sandbox.Guest.CallAsync(
            GuestMethods.LimitPod, limits with { CpuShares = 0 }, GuestJson.Default.ResourceLimits, GuestJson.Default.Empty, cancellationToken);

    [LoggerMessage(3147, LogLevel.Information, "Pod {PodId} has new limits: {MemoryBytes} bytes, {CpuQuota} us of CPU each period, {CpuShares} shares (0: none)")]
    private partial void PodLimitsChanged(string podId, long memoryBytes, long cpuQuota, long cpuShares);

    [LoggerMessage(3148, LogLevel.Warning, "Pod {PodId}: the guest may have other limits than those that are kept, until the daemon starts anew or they are changed again")]
    private partial void PodLimitsNotRestored(string podId, Exception cause);

    [LoggerMessage(3149, LogLevel.Warning, "Pod {PodId} has the usual share of the host's CPUs and not the one asked for: {Reason}")]
    private partial void SharesNotSet(string podId, string reason);
}
