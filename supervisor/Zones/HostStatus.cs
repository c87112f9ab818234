using k8s.Models;

namespace Vks.Supervisor.Zones;

/// <summary>How a host is.</summary>
internal sealed class HostStatus
{
    /// <summary>Generation of the spec that this was computed from.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary>Its zone; null without the label.</summary>
    public string? Zone { get; set; }

    /// <summary><c>Ready</c>, <c>NotReady</c>, <c>Maintenance</c>, or <c>Lost</c>: there is no Node of this name any more.</summary>
    public string? Phase { get; set; }

    /// <summary>What it has.</summary>
    public ResourceAmounts? Capacity { get; set; }

    /// <summary>What pods may have of it.</summary>
    public ResourceAmounts? Allocatable { get; set; }

    /// <summary>What its pods asked for, with their overhead.</summary>
    public ResourceAmounts? Requested { get; set; }

    /// <summary>What one pod costs beyond its containers.</summary>
    public PodOverhead? Overhead { get; set; }

    /// <summary>For columns.</summary>
    public HostSummary? Summary { get; set; }

    /// <summary>What holds.</summary>
    public IList<V1Condition>? Conditions { get; set; }
}
