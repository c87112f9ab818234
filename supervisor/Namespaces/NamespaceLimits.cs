using k8s.Models;

namespace Vks.Supervisor.Namespaces;

/// <summary>What all pods of a namespace together may have; null is no limit.</summary>
internal sealed class NamespaceLimits
{
    /// <summary>CPUs, overhead of the pods' machines included.</summary>
    public ResourceQuantity? Cpu { get; set; }

    /// <summary>Bytes, overhead of the pods' machines included.</summary>
    public ResourceQuantity? Memory { get; set; }

    /// <summary>Bytes of all volume claims.</summary>
    public ResourceQuantity? Storage { get; set; }

    /// <summary>Number of pods that have not ended.</summary>
    public int? Pods { get; set; }
}
