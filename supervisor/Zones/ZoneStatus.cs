using k8s.Models;

namespace Vks.Supervisor.Zones;

/// <summary>A namespace's share in a zone.</summary>
internal sealed class ZoneStatus
{
    /// <summary>Generation of the spec that this was computed from.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary>Pods of the namespace in the zone.</summary>
    public int? Pods { get; set; }

    /// <summary>As <c>2/3</c>.</summary>
    public string? ReadyHosts { get; set; }

    /// <summary>The namespace gave the zone up; pods that still run there keep the object.</summary>
    public bool? MarkedForRemoval { get; set; }

    /// <summary>What holds.</summary>
    public IList<V1Condition>? Conditions { get; set; }
}
