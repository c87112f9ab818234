using System.Globalization;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>What of the guest's hardware limits may speak about.</summary>
/// <param name="Cpus">Numbers of its CPUs.</param>
/// <param name="HugepageSizes">As cgroup v2 names them: <c>2MB</c>.</param>
internal sealed record GuestHardware(IReadOnlySet<int> Cpus, IReadOnlySet<string> HugepageSizes)
{
    private static readonly Lazy<GuestHardware> _this = new(Read);

    /// <summary>This guest's; neither CPUs nor page sizes change while it runs.</summary>
    internal static GuestHardware This => _this.Value;

    /// <summary>Those CPUs of the list that the guest has, or null when it has none of them: a node's agent may name the host's CPUs.</summary>
    /// <exception cref="AgentException">InvalidRequest: it is no list.</exception>
    internal string? Present(string? cpus)
    {
        if (string.IsNullOrEmpty(cpus))
        {
            return null;
        }

        int[] present = [.. Parse(cpus).Where(Cpus.Contains).Order()];
        return present.Length == 0 ? null : string.Join(',', present);
    }

    /// <summary>Those limits that the guest's cgroups can keep.</summary>
    /// <exception cref="AgentException">InvalidRequest: pages of a size that the guest does not have are asked for.</exception>
    internal IReadOnlyList<OciHugepageLimit>? Present(IReadOnlyList<HugepageLimit> limits)
    {
        if (limits.FirstOrDefault(limit => limit.Bytes > 0 && !HugepageSizes.Contains(limit.PageSize)) is { } unknown)
        {
            throw new AgentException(
                GuestFault.InvalidRequest,
                $"The guest has no huge pages of {unknown.PageSize}; it has {(HugepageSizes.Count == 0 ? "none" : string.Join(", ", HugepageSizes.Order()))}.");
        }

        OciHugepageLimit[] kept = [.. limits.Where(limit => HugepageSizes.Contains(limit.PageSize)).Select(limit => new OciHugepageLimit(limit.PageSize, limit.Bytes))];
        return kept.Length == 0 ? null : kept;
    }

    /// <summary>The name of a page size: the largest unit that leaves no rest.</summary>
    internal static string PageSizeName(long kibibytes) => kibibytes switch
    {
        >= 1 << 20 when kibibytes % (1 << 20) == 0 => string.Create(CultureInfo.InvariantCulture, $"{kibibytes >> 20}GB"),
        >= 1 << 10 when kibibytes % (1 << 10) == 0 => string.Create(CultureInfo.InvariantCulture, $"{kibibytes >> 10}MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{kibibytes}KB"),
    };

    /// <summary>Reads <c>0-2,7</c>. Numbers beyond what any kernel has are left out.</summary>
    internal static IEnumerable<int> Parse(string list)
    {
        const int Most = 8192;
        var numbers = new SortedSet<int>();
        foreach (string part in list.Trim().Split(','))
        {
            string[] ends = part.Split('-', 2);
            if (!int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last)
                || last < first)
            {
                throw new AgentException(GuestFault.InvalidRequest, $"'{list}' is no list of CPUs as in 0-2,7.");
            }

            for (int number = first; number <= Math.Min(last, Most); number++)
            {
                numbers.Add(number);
            }
        }

        return numbers;
    }

    private static GuestHardware Read()
    {
        const string Pages = "/sys/kernel/mm/hugepages";
        const string Prefix = "hugepages-", Suffix = "kB";
        var sizes = new HashSet<string>(StringComparer.Ordinal);
        foreach (string folder in Directory.Exists(Pages) ? Directory.GetDirectories(Pages) : [])
        {
            string name = Path.GetFileName(folder);
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal)
                && long.TryParse(name.AsSpan(Prefix.Length, name.Length - Prefix.Length - Suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes))
            {
                sizes.Add(PageSizeName(kibibytes));
            }
        }

        return new GuestHardware(Parse(File.ReadAllText("/sys/devices/system/cpu/online")).ToHashSet(), sizes);
    }
}
