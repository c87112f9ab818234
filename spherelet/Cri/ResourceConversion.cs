using System.Text.RegularExpressions;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Limits, both ways.</summary>
internal static partial class ResourceConversion
{
    private const int MinPeriod = 1000, MaxPeriod = 1_000_000, MinQuota = 1000;
    private const int MinShares = 2, MaxShares = 262_144;

    /// <summary>What the kernel keeps of a quota: 44 bits (sched, MAX_BW).</summary>
    private const long MaxQuota = (1L << 44) - 1;

    private const int MaxUnifiedValue = 4096;

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
        : new ResourceLimits
        {
            CpuShares = resources.CpuShares > 0 ? Math.Clamp(resources.CpuShares, MinShares, MaxShares) : OrNegative(resources.CpuShares, negative),
            CpuQuotaMicroseconds = resources.CpuQuota is > 0 and < MinQuota or > MaxQuota
                ? throw Invalid("cpu_quota", $"is {resources.CpuQuota}; it must be {MinQuota} to {MaxQuota} microseconds")
                : OrNegative(resources.CpuQuota, negative),
            CpuPeriodMicroseconds = resources.CpuPeriod > 0 && resources.CpuPeriod is < MinPeriod or > MaxPeriod
                ? throw Invalid("cpu_period", $"is {resources.CpuPeriod}; it must be {MinPeriod} to {MaxPeriod} microseconds")
                : OrNegative(resources.CpuPeriod, negative),
            CpusetCpus = Cpuset(resources.CpusetCpus, "cpuset_cpus"),
            CpusetMems = Cpuset(resources.CpusetMems, "cpuset_mems"),
            MemoryBytes = OrNegative(resources.MemoryLimitInBytes, negative),
            MemorySwapBytes = OrNegative(resources.MemorySwapLimitInBytes, negative),
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

    private static long OrNegative(long value, long negative) => value < 0 ? negative : value;

    private static string? Cpuset(string text, string field) => text.Length == 0
        ? null
        : CpuList().IsMatch(text) ? text : throw Invalid(field, $"is '{text}'; it must be a list as 0-2,7");

    private static HugepageLimit Hugepages(V1.HugepageLimit limit) => PageSize().IsMatch(limit.PageSize)
        ? new HugepageLimit(limit.PageSize, limit.Limit)
        : throw Invalid("hugepage_limits.page_size", $"is '{limit.PageSize}'; it must be as 64KB, 2MB or 1GB");

    /// <summary>
    /// A name is one file of the container's cgroup; whether the guest has it, the guest knows. Files of cgroup itself are no limits: by
    /// <c>cgroup.procs</c> the agent could be moved into the container, by <c>cgroup.kill</c> the container ended unnoticed.
    /// </summary>
    private static string UnifiedName(string name) =>
        UnifiedFile().IsMatch(name) && (!name.StartsWith("cgroup.", StringComparison.Ordinal) || name is "cgroup.max.depth" or "cgroup.max.descendants")
            ? name
            : throw Invalid("unified", $"has '{InfoText.Shorten(name)}'; a name is that of a limit of cgroup v2, as memory.high");

    private static string UnifiedValue(string name, string value) =>
        value.Length <= MaxUnifiedValue && !value.Any(static letter => letter is '\0' or '\n' or '\r')
            ? value
            : throw Invalid("unified", $"has a value of '{name}' that is not one line of at most {MaxUnifiedValue} characters");

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");

    [GeneratedRegex(@"^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex CpuList();

    [GeneratedRegex("^[1-9][0-9]{0,5}(KB|MB|GB)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PageSize();

    [GeneratedRegex(@"^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex UnifiedFile();
}
