using System.Text.RegularExpressions;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Limits, both ways.</summary>
internal static partial class ResourceConversion
{
    private const int MinPeriod = 1000, MaxPeriod = 1_000_000, MinQuota = 1000;
    private const int MinShares = 2, MaxShares = 262_144;

    /// <summary>From CRI; absent is no limit, and so is a negative number, as -1 is elsewhere.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a limit that no kernel keeps.</exception>
    public static ResourceLimits Read(V1.LinuxContainerResources? resources) => resources is null
        ? new ResourceLimits()
        : new ResourceLimits
        {
            CpuShares = resources.CpuShares <= 0 ? 0 : Math.Clamp(resources.CpuShares, MinShares, MaxShares),
            CpuQuotaMicroseconds = resources.CpuQuota is > 0 and < MinQuota
                ? throw Invalid("cpu_quota", $"is {resources.CpuQuota}; the least is {MinQuota} microseconds")
                : Math.Max(0, resources.CpuQuota),
            CpuPeriodMicroseconds = resources.CpuPeriod > 0 && resources.CpuPeriod is < MinPeriod or > MaxPeriod
                ? throw Invalid("cpu_period", $"is {resources.CpuPeriod}; it must be {MinPeriod} to {MaxPeriod} microseconds")
                : Math.Max(0, resources.CpuPeriod),
            CpusetCpus = Cpuset(resources.CpusetCpus, "cpuset_cpus"),
            CpusetMems = Cpuset(resources.CpusetMems, "cpuset_mems"),
            MemoryBytes = Math.Max(0, resources.MemoryLimitInBytes),
            MemorySwapBytes = Math.Max(0, resources.MemorySwapLimitInBytes),
            HugepageLimits = [.. resources.HugepageLimits.Select(Hugepages)],
            Unified = resources.Unified.ToDictionary(entry => UnifiedName(entry.Key), entry => UnifiedValue(entry.Key, entry.Value)),
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
        HugepageLimits = { limits.HugepageLimits.Select(limit => new V1.HugepageLimit { PageSize = limit.PageSize, Limit = limit.Bytes }) },
        Unified = { limits.Unified.ToDictionary() },
    };

    private static string? Cpuset(string text, string field) => text.Length == 0
        ? null
        : CpuList().IsMatch(text) ? text : throw Invalid(field, $"is '{text}'; it must be a list as 0-2,7");

    private static HugepageLimit Hugepages(V1.HugepageLimit limit) => PageSize().IsMatch(limit.PageSize)
        ? new HugepageLimit(limit.PageSize, limit.Limit)
        : throw Invalid("hugepage_limits.page_size", $"is '{limit.PageSize}'; it must be as 64KB, 2MB or 1GB");

    /// <summary>A name is one file of the container's cgroup; whether the guest has it, the guest knows.</summary>
    private static string UnifiedName(string name) => UnifiedFile().IsMatch(name)
        ? name
        : throw Invalid("unified", $"has '{name}'; a name is that of a file of cgroup v2, as memory.high");

    private static string UnifiedValue(string name, string value) => value.Contains('\0', StringComparison.Ordinal)
        ? throw Invalid("unified", $"has a NUL in the value of '{name}'")
        : value;

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");

    [GeneratedRegex(@"^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex CpuList();

    [GeneratedRegex("^[1-9][0-9]{0,5}(KB|MB|GB)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PageSize();

    [GeneratedRegex(@"^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex UnifiedFile();
}
