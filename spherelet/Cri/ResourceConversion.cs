using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Limits, both ways.</summary>
internal static class ResourceConversion
{
    /// <summary>From CRI; absent is no limit, and so is a negative number, as -1 is elsewhere.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a limit that no kernel keeps.</exception>
    public static ResourceLimits Read(V1.LinuxContainerResources? resources) => Read(resources, negative: 0);

    /// <summary>A change, from CRI: absent leaves a limit as it is, and a negative number, told as <see cref="ResourceChange.Unlimited"/>, takes it away.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a limit that no kernel keeps.</exception>
    public static ResourceLimits ReadChange(V1.LinuxContainerResources? resources) => Read(resources, ResourceChange.Unlimited);

    /// <summary>Reads what the out-of-memory killer is to think of the processes.</summary>
    public static int ReadOomScore(V1.LinuxContainerResources? resources) => (int)Math.Clamp(resources?.OomScoreAdj ?? 0, -1000, 1000);

    private static ResourceLimits Read(V1.LinuxContainerResources? resources, long negative) => resources is null
        ? new ResourceLimits()
        : LimitRules.Check(new ResourceLimits
        {
            CpuShares = OrNegative(resources.CpuShares, negative),
            CpuQuotaMicroseconds = OrNegative(resources.CpuQuota, negative),
            CpuPeriodMicroseconds = OrNegative(resources.CpuPeriod, negative),
            CpusetCpus = OrNull(resources.CpusetCpus),
            CpusetMems = OrNull(resources.CpusetMems),
            MemoryBytes = OrNegative(resources.MemoryLimitInBytes, negative),
            MemorySwapBytes = OrNegative(resources.MemorySwapLimitInBytes, negative),
            HugepageLimits = [.. resources.HugepageLimits.Select(static limit => new HugepageLimit(limit.PageSize, limit.Limit))],
            Unified = resources.Unified.ToDictionary(),
        });

    /// <summary>To CRI.</summary>
    public static V1.LinuxContainerResources Write(ResourceLimits limits, int oomScoreAdjust) => new()
    {
        CpuShares = limits.CpuShares,
        CpuQuota = limits.CpuQuotaMicroseconds,
        CpuPeriod = limits.CpuPeriodMicroseconds,
        CpusetCpus = limits.CpusetCpus ?? "",
        CpusetMems = limits.CpusetMems ?? "",
        MemoryLimitInBytes = limits.MemoryBytes,
        MemorySwapLimitInBytes = limits.MemorySwapBytes,
        OomScoreAdj = oomScoreAdjust,
        HugepageLimits = { limits.HugepageLimits.Select(limit => new V1.HugepageLimit { PageSize = limit.PageSize, Limit = limit.Bytes }) },
        Unified = { limits.Unified.ToDictionary() },
    };

    private static long OrNegative(long value, long negative) => value < 0 ? negative : value;

    private static string? OrNull(string text) => text.Length == 0 ? null : text;
}
