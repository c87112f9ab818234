using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>What becomes of limits when some of them are changed. Pure.</summary>
internal static class ResourceChange
{
    /// <summary>In a change: the limit is taken away. Zero leaves it as it is.</summary>
    public const long Unlimited = -1;

    /// <summary>The limits after the change. Of files and of page sizes those that are not named stay.</summary>
    /// <remarks>A limit of memory that grows beyond the kept one of memory and swap together takes it along: no swap, as nearly all have it.</remarks>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: memory and swap together are to be less than memory alone.</exception>
    public static ResourceLimits Apply(ResourceLimits present, ResourceLimits change)
    {
        long memory = Number(present.MemoryBytes, change.MemoryBytes);
        long swap = Number(present.MemorySwapBytes, change.MemorySwapBytes);
        if (swap > 0 && swap < memory)
        {
            swap = change.MemorySwapBytes > 0
                ? throw new PodException(
                    PodFault.InvalidConfig,
                    "memory_swap_limit_in_bytes",
                    $"memory_swap_limit_in_bytes is {swap}, less than the memory limit of {memory}; it counts memory and swap together.")
                : memory;
        }

        return new ResourceLimits
        {
            CpuShares = Number(present.CpuShares, change.CpuShares),
            CpuQuotaMicroseconds = Number(present.CpuQuotaMicroseconds, change.CpuQuotaMicroseconds),
            CpuPeriodMicroseconds = Number(present.CpuPeriodMicroseconds, change.CpuPeriodMicroseconds),
            CpusetCpus = change.CpusetCpus ?? present.CpusetCpus,
            CpusetMems = change.CpusetMems ?? present.CpusetMems,
            MemoryBytes = memory,
            MemorySwapBytes = swap,
            PidsLimit = Number(present.PidsLimit, change.PidsLimit),
            HugepageLimits = Later(present.HugepageLimits, change.HugepageLimits),
            Unified = Later(present.Unified, change.Unified),
        };
    }

    /// <summary>Two changes in one; where both say something, the later counts.</summary>
    public static ResourceLimits Combine(ResourceLimits first, ResourceLimits later) => new()
    {
        CpuShares = later.CpuShares != 0 ? later.CpuShares : first.CpuShares,
        CpuQuotaMicroseconds = later.CpuQuotaMicroseconds != 0 ? later.CpuQuotaMicroseconds : first.CpuQuotaMicroseconds,
        CpuPeriodMicroseconds = later.CpuPeriodMicroseconds != 0 ? later.CpuPeriodMicroseconds : first.CpuPeriodMicroseconds,
        CpusetCpus = later.CpusetCpus ?? first.CpusetCpus,
        CpusetMems = later.CpusetMems ?? first.CpusetMems,
        MemoryBytes = later.MemoryBytes != 0 ? later.MemoryBytes : first.MemoryBytes,
        MemorySwapBytes = later.MemorySwapBytes != 0 ? later.MemorySwapBytes : first.MemorySwapBytes,
        PidsLimit = later.PidsLimit != 0 ? later.PidsLimit : first.PidsLimit,
        HugepageLimits = Later(first.HugepageLimits, later.HugepageLimits),
        Unified = Later(first.Unified, later.Unified),
    };

    private static HugepageLimit[] Later(IReadOnlyList<HugepageLimit> first, IReadOnlyList<HugepageLimit> later) =>
        [.. first.Concat(later).GroupBy(limit => limit.PageSize).Select(same => same.Last())];

    private static Dictionary<string, string> Later(IReadOnlyDictionary<string, string> first, IReadOnlyDictionary<string, string> later) =>
        first.Concat(later).GroupBy(file => file.Key).ToDictionary(same => same.Key, same => same.Last().Value);

    private static long Number(long present, long change) => change < 0 ? 0 : change > 0 ? change : present;
}
