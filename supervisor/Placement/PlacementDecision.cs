namespace Vks.Supervisor.Placement;

/// <summary>Where a pod may run, where it should, and why not elsewhere. Pure: the same question has the same answer.</summary>
internal sealed record PlacementDecision
{
    /// <summary>Filter: kube-scheduler's own rules.</summary>
    public const string SchedulerFilter = "kube-scheduler";

    /// <summary>Filter: the namespace's zones.</summary>
    public const string ZoneFilter = "zones";

    /// <summary>Filter: zones that are for the control plane only.</summary>
    public const string PurposeFilter = "purpose";

    /// <summary>Filter: hosts that are out of service.</summary>
    public const string ServiceFilter = "service";

    /// <summary>Filter: room, with the measured cost of machines.</summary>
    public const string CapacityFilter = "capacity";

    private const int BestSpread = 6;
    private const int MostRoom = 4;

    /// <summary>Hosts that the pod may run on, the best one first.</summary>
    public required IReadOnlyList<ScoredHost> Candidates { get; init; }

    /// <summary>All other hosts.</summary>
    public required IReadOnlyList<RemovedHost> Removed { get; init; }

    /// <summary>Decides.</summary>
    public static PlacementDecision Of(PlacementQuestion question)
    {
        List<HostFacts> feasible = [];
        List<RemovedHost> removed = [];
        foreach (HostFacts host in question.Hosts.OrderBy(host => host.Name, StringComparer.Ordinal))
        {
            if (Refusal(question, host) is { } why)
            {
                removed.Add(new RemovedHost(host.Name, host.Zone, why.Filter, why.Reason));
            }
            else
            {
                feasible.Add(host);
            }
        }

        return new PlacementDecision { Candidates = [.. Score(question, feasible)], Removed = removed };
    }

    /// <summary>Why a pod may not run on a host, or null.</summary>
    public static (string Filter, string Reason)? Refusal(PlacementQuestion question, HostFacts host)
    {
        if (question.Zones is { } zones)
        {
            // First what no change of load can mend: kube-scheduler must not evict others from there.
            if (host.Zone is null || !zones.Contains(host.Zone))
            {
                return (ZoneFilter, $"{(host.Zone is null ? "has no zone" : $"is in {host.Zone}")}; the namespace has {string.Join(", ", zones)}");
            }

            if (!host.ZoneTakesPods)
            {
                return (PurposeFilter, $"{host.Zone} is for the control plane only");
            }
        }

        if (!question.Candidates.Contains(host.Name))
        {
            return (SchedulerFilter, host.SchedulerHint ?? "one of its own rules: affinity, spread, volumes, ports");
        }

        if (!host.InService)
        {
            return (ServiceFilter, "is in maintenance mode");
        }

        (long millis, long bytes) = Needs(question, host);
        if (host.UsedMillis + millis > host.AllocatableMillis)
        {
            return (CapacityFilter, $"has {Math.Max(0, host.AllocatableMillis - host.UsedMillis)}m CPU left, {millis}m with the measured overhead are needed");
        }

        if (host.UsedBytes + bytes > host.AllocatableBytes)
        {
            return (CapacityFilter, $"has {Math.Max(0, host.AllocatableBytes - host.UsedBytes) >> 20} MiB left, {bytes >> 20} MiB with the measured overhead are needed");
        }

        return null;
    }

    // One zone is chosen and stands far above the others, so that the sum with kube-scheduler's own scores, which are finer, keeps it.
    private static IEnumerable<ScoredHost> Score(PlacementQuestion question, List<HostFacts> feasible)
    {
        if (question.Zones is null)
        {
            return feasible.Select(host => new ScoredHost(host.Name, host.Zone, 0, 0, 0));
        }

        string? chosen = feasible.Select(host => host.Zone!).Distinct()
            .OrderBy(zone => question.Siblings.GetValueOrDefault(zone)).ThenBy(zone => question.Neighbours.GetValueOrDefault(zone))
            .ThenByDescending(zone => feasible.Where(host => host.Zone == zone).Max(host => Room(question, host))).ThenBy(zone => zone, StringComparer.Ordinal)
            .FirstOrDefault();
        int fewest = chosen is null ? 0 : question.Siblings.GetValueOrDefault(chosen);
        return feasible.Select(host =>
        {
            int siblings = question.Siblings.GetValueOrDefault(host.Zone!);
            return host.Zone == chosen
                ? new ScoredHost(host.Name, host.Zone, siblings, BestSpread, (int)Math.Min(MostRoom, Room(question, host) * (MostRoom + 1)))
                : new ScoredHost(host.Name, host.Zone, siblings, Math.Max(0, 2 - (siblings - fewest)), 0);
        }).OrderByDescending(host => host.Score).ThenBy(host => host.Host, StringComparer.Ordinal);
    }

    // What stays free of the scarcer of CPU and memory, from 0 to 1.
    private static double Room(PlacementQuestion question, HostFacts host)
    {
        (long millis, long bytes) = Needs(question, host);
        double cpu = 1 - ((double)(host.UsedMillis + millis) / Math.Max(1, host.AllocatableMillis));
        double memory = 1 - ((double)(host.UsedBytes + bytes) / Math.Max(1, host.AllocatableBytes));
        return Math.Clamp(Math.Min(cpu, memory), 0, 1);
    }

    private static (long Millis, long Bytes) Needs(PlacementQuestion question, HostFacts host) => (
        question.Request.CpuMillis + Math.Max(0, host.OverheadMillis - question.Request.OverheadMillis),
        question.Request.MemoryBytes + Math.Max(0, host.OverheadBytes - question.Request.OverheadBytes));
}
