using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Cri;

/// <summary>Limits, both ways.</summary>
internal static class ResourceConversion
{
    /// <summary>From CRI; absent is no limit.</summary>
    public static ResourceLimits Read(V1.LinuxContainerResources? resources) => resources is null
        ? new ResourceLimits()
        : new ResourceLimits
        {
            CpuShares = Math.Max(0, resources.CpuShares),
            CpuQuotaMicroseconds = Math.Max(0, resources.CpuQuota),
            CpuPeriodMicroseconds = Math.Max(0, resources.CpuPeriod),
            CpusetCpus = NullIfEmpty(resources.CpusetCpus),
            CpusetMems = NullIfEmpty(resources.CpusetMems),
            MemoryBytes = Math.Max(0, resources.MemoryLimitInBytes),
            MemorySwapBytes = Math.Max(0, resources.MemorySwapLimitInBytes),
            Unified = resources.Unified.ToDictionary(),
        };

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
        Unified = { limits.Unified.ToDictionary() },
    };

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
