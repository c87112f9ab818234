using System.Text.RegularExpressions;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>Which limits a guest's kernel keeps. Pure.</summary>
internal static partial class LimitRules
{
    private const int MinPeriod = 1000, MaxPeriod = 1_000_000, MinQuota = 1000;
    private const int MinShares = 2, MaxShares = 262_144;

    /// <summary>What the kernel keeps of a quota: 44 bits (sched, MAX_BW).</summary>
    private const long MaxQuota = (1L << 44) - 1;

    private const int MaxUnifiedValue = 4096;

    /// <summary>The limits, shares brought into their range. Zero is no limit, negative takes one away; see <see cref="ResourceChange"/>.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a limit that no kernel keeps.</exception>
    public static ResourceLimits Check(ResourceLimits limits)
    {
        if (limits.CpuQuotaMicroseconds is > 0 and < MinQuota or > MaxQuota)
        {
            throw Invalid("cpu_quota", $"is {limits.CpuQuotaMicroseconds}; it must be {MinQuota} to {MaxQuota} microseconds");
        }

        if (limits.CpuPeriodMicroseconds > 0 && limits.CpuPeriodMicroseconds is < MinPeriod or > MaxPeriod)
        {
            throw Invalid("cpu_period", $"is {limits.CpuPeriodMicroseconds}; it must be {MinPeriod} to {MaxPeriod} microseconds");
        }

        CheckCpuset(limits.CpusetCpus, "cpuset_cpus");
        CheckCpuset(limits.CpusetMems, "cpuset_mems");
        foreach (HugepageLimit limit in limits.HugepageLimits)
        {
            if (!PageSize().IsMatch(limit.PageSize))
            {
                throw Invalid("hugepage_limits.page_size", $"is '{limit.PageSize}'; it must be as 64KB, 2MB or 1GB");
            }
        }

        foreach ((string name, string value) in limits.Unified)
        {
            CheckUnified(name, value);
        }

        return limits.CpuShares > 0 ? limits with { CpuShares = Math.Clamp(limits.CpuShares, MinShares, MaxShares) } : limits;
    }

    private static void CheckCpuset(string? text, string field)
    {
        if (text is not null && !CpuList().IsMatch(text))
        {
            throw Invalid(field, $"is '{text}'; it must be a list as 0-2,7");
        }
    }

    /// <summary>
    /// A name is one file of the container's cgroup; whether the guest has it, the guest knows. Files of cgroup itself are no limits: by
    /// <c>cgroup.procs</c> the agent could be moved into the container, by <c>cgroup.kill</c> the container ended unnoticed.
    /// </summary>
    private static void CheckUnified(string name, string value)
    {
        if (!UnifiedFile().IsMatch(name) || (name.StartsWith("cgroup.", StringComparison.Ordinal) && name is not ("cgroup.max.depth" or "cgroup.max.descendants")))
        {
            throw Invalid("unified", $"has '{(name.Length <= 100 ? name : name[..100] + "…")}'; a name is that of a limit of cgroup v2, as memory.high");
        }

        if (value.Length > MaxUnifiedValue || value.Any(static letter => letter is '\0' or '\n' or '\r'))
        {
            throw Invalid("unified", $"has a value of '{name}' that is not one line of at most {MaxUnifiedValue} characters");
        }
    }

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");

    [GeneratedRegex(@"^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex CpuList();

    [GeneratedRegex("^[1-9][0-9]{0,5}(KB|MB|GB)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PageSize();

    [GeneratedRegex(@"^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex UnifiedFile();
}
