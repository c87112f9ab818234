using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Placement;

/// <summary>Where may, and where should, this pod run?</summary>
internal sealed record PlacementQuestion
{
    /// <summary>What the pod asks for.</summary>
    public required PodRequest Request { get; init; }

    /// <summary>The zones of its namespace; null: the namespace is not the Supervisor's, and its pods may run anywhere.</summary>
    public IReadOnlyCollection<string>? Zones { get; init; }

    /// <summary>The hosts that kube-scheduler's own rules left.</summary>
    public required IReadOnlySet<string> Candidates { get; init; }

    /// <summary>All hosts there are.</summary>
    public required IReadOnlyCollection<HostFacts> Hosts { get; init; }

    /// <summary>Pods of the same owner (a Deployment's replicas) in each zone.</summary>
    public IReadOnlyDictionary<string, int> Siblings { get; init; } = new Dictionary<string, int>();

    /// <summary>All pods of the namespace in each zone.</summary>
    public IReadOnlyDictionary<string, int> Neighbours { get; init; } = new Dictionary<string, int>();
}
