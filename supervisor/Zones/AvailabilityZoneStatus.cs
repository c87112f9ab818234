using k8s.Models;

namespace Vks.Supervisor.Zones;

/// <summary>How a zone is.</summary>
internal sealed class AvailabilityZoneStatus
{
    /// <summary>Generation of the spec that this was computed from.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary>As <c>2/3</c>.</summary>
    public string? ReadyHosts { get; set; }

    /// <summary>How many namespaces may use it.</summary>
    public int? NamespaceCount { get; set; }

    /// <summary>Names of its hosts.</summary>
    public IList<string>? Hosts { get; set; }

    /// <summary>What holds.</summary>
    public IList<V1Condition>? Conditions { get; set; }
}
