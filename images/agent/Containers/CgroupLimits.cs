using System.Globalization;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Turns limits into files of a cgroup v2 and their content. Pure.</summary>
internal static class CgroupLimits
{
    private const string None = "max";
    private const long UsualPeriod = 100_000;

    /// <summary>Every file that limits may speak of, with what it is to hold; those of <c>unified</c> last and over the others.</summary>
    /// <remarks>The content of two sets of limits is to be compared: a file that the guest lacks holds the same in both, as long as nobody asks for it.</remarks>
    /// <exception cref="AgentException">InvalidRequest: huge pages of a size the guest does not have, or no list of CPUs.</exception>
    internal static IReadOnlyList<KeyValuePair<string, string>> Files(ResourceLimits limits, GuestHardware hardware)
    {
        var files = new OrderedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["cpu.weight"] = Number(Weight(limits.CpuShares)),
            ["cpu.max"] = string.Create(
                CultureInfo.InvariantCulture,
                $"{OrNone(limits.CpuQuotaMicroseconds)} {(limits.CpuPeriodMicroseconds > 0 ? limits.CpuPeriodMicroseconds : UsualPeriod)}"),
            ["cpuset.cpus"] = hardware.Present(limits.CpusetCpus) ?? "",
            ["memory.max"] = OrNone(limits.MemoryBytes),
            ["memory.swap.max"] = limits.MemoryBytes > 0 && limits.MemorySwapBytes >= limits.MemoryBytes
                ? Number(limits.MemorySwapBytes - limits.MemoryBytes)
                : None,
            ["pids.max"] = OrNone(limits.PidsLimit),
        };
        foreach (string size in hardware.HugepageSizes)
        {
            files[$"hugetlb.{size}.max"] = None;
        }

        foreach (OciHugepageLimit limit in hardware.Present(limits.HugepageLimits) ?? [])
        {
            files[$"hugetlb.{limit.PageSize}.max"] = limit.Limit.ToString(CultureInfo.InvariantCulture);
        }

        foreach ((string file, string content) in limits.Unified)
        {
            files.Remove(file);
            files[file] = content;
        }

        return [.. files];
    }

    /// <summary>cgroup v1's shares of 2 to 262144 on v2's scale of 1 to 10000, as crun does it at the start; 100 when not limited.</summary>
    internal static long Weight(long shares) => shares <= 0 ? 100 : 1 + ((Math.Clamp(shares, 2, 262_144) - 2) * 9999 / 262_142);

    private static string OrNone(long limit) => limit > 0 ? Number(limit) : None;

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
