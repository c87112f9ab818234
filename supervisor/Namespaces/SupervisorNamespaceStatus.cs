using k8s.Models;

namespace Vks.Supervisor.Namespaces;

/// <summary>How a namespace is.</summary>
internal sealed class SupervisorNamespaceStatus
{
    /// <summary>Generation of the spec that this was computed from.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary><c>Configuring</c>, <c>Running</c>, <c>Removing</c> or <c>Error</c>.</summary>
    public string? Phase { get; set; }

    /// <summary>For columns.</summary>
    public NamespaceSummary? Summary { get; set; }

    /// <summary>Used against limits.</summary>
    public IList<ResourceUse>? Usage { get; set; }

    /// <summary>Its zones.</summary>
    public IList<ZoneShare>? Zones { get; set; }

    /// <summary>What holds.</summary>
    public IList<V1Condition>? Conditions { get; set; }
}
