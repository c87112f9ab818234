using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;
using HugepageLimit = Vks.Runtime.Guest.Protocol.HugepageLimit;

namespace Vks.Spherelet.Nri;

/// <summary>Limits in the words of NRI, both ways.</summary>
internal static class ResourceWords
{
    /// <summary>The limits that there are.</summary>
    public static LinuxResources Write(ResourceLimits limits) => new()
    {
        Memory = new LinuxMemory { Limit = Number(limits.MemoryBytes), Swap = Number(limits.MemorySwapBytes) },
        Cpu = new LinuxCPU
        {
            Shares = limits.CpuShares > 0 ? new OptionalUInt64 { Value = (ulong)limits.CpuShares } : null,
            Quota = Number(limits.CpuQuotaMicroseconds),
            Period = limits.CpuPeriodMicroseconds > 0 ? new OptionalUInt64 { Value = (ulong)limits.CpuPeriodMicroseconds } : null,
            Cpus = limits.CpusetCpus ?? "",
            Mems = limits.CpusetMems ?? "",
        },
        Pids = limits.PidsLimit > 0 ? new LinuxPids { Limit = limits.PidsLimit } : null,
        HugepageLimits = { limits.HugepageLimits.Select(static limit => new Wire.HugepageLimit { PageSize = limit.PageSize, Limit = limit.Bytes }) },
        Unified = { limits.Unified.ToDictionary() },
    };

    /// <summary>A change: what is not named stays, a negative number takes a limit away.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a limit that no guest keeps.</exception>
    public static ResourceLimits ReadChange(LinuxResources? resources)
    {
        if (resources is null)
        {
            return new ResourceLimits();
        }

        RefuseOthers(resources);
        Dictionary<string, string> unified = resources.Unified.ToDictionary();
        if (resources.Memory?.Reservation is { Value: > 0 } reservation)
        {
            // What cgroup v2 has for it.
            unified.TryAdd("memory.low", reservation.Value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return LimitRules.Check(new ResourceLimits
        {
            MemoryBytes = Change(resources.Memory?.Limit),
            MemorySwapBytes = Change(resources.Memory?.Swap),
            CpuShares = Change(resources.Cpu?.Shares),
            CpuQuotaMicroseconds = Change(resources.Cpu?.Quota),
            CpuPeriodMicroseconds = Change(resources.Cpu?.Period),
            CpusetCpus = resources.Cpu is { Cpus.Length: > 0 } cpus ? cpus.Cpus : null,
            CpusetMems = resources.Cpu is { Mems.Length: > 0 } mems ? mems.Mems : null,
            PidsLimit = resources.Pids is { } pids ? (pids.Limit <= 0 ? ResourceChange.Unlimited : pids.Limit) : 0,
            HugepageLimits = [.. resources.HugepageLimits.Select(static limit => new HugepageLimit(limit.PageSize, limit.Limit))],
            Unified = unified,
        });
    }

    /// <summary>What belongs to cgroup v1 or to the host's hardware is not there in a guest; dropping it silently would be a promise that nobody keeps.</summary>
    private static void RefuseOthers(LinuxResources resources)
    {
        string? what = resources switch
        {
            { BlockioClass: not null } => "blockio_class",
            { RdtClass: not null } => "rdt_class",
            { Memory.Kernel.Value: > 0 } => "memory.kernel",
            { Memory.KernelTcp.Value: > 0 } => "memory.kernel_tcp",
            { Memory.Swappiness: not null } => "memory.swappiness",
            { Memory.DisableOomKiller.Value: true } => "memory.disable_oom_killer",
            { Cpu.RealtimeRuntime.Value: > 0 } => "cpu.realtime_runtime",
            { Cpu.RealtimePeriod.Value: > 0 } => "cpu.realtime_period",
            _ => null,
        };
        if (what is not null)
        {
            throw new PodException(PodFault.InvalidConfig, what, $"{what} cannot be set: a container's limits are kept by cgroup v2 in its guest, which has no such limit.");
        }
    }

    private static OptionalInt64? Number(long value) => value > 0 ? new OptionalInt64 { Value = value } : null;

    private static long Change(OptionalInt64? value) => value is null ? 0 : value.Value <= 0 ? ResourceChange.Unlimited : value.Value;

    private static long Change(OptionalUInt64? value) => value is null ? 0 : value.Value == 0 ? ResourceChange.Unlimited : (long)Math.Min(value.Value, long.MaxValue);
}
