using k8s.Models;

namespace Vks.Supervisor.Zones;

/// <summary>CPU, memory and a number of pods, as objects show them.</summary>
internal sealed class ResourceAmounts
{
    /// <summary>CPUs.</summary>
    public ResourceQuantity? Cpu { get; set; }

    /// <summary>Bytes.</summary>
    public ResourceQuantity? Memory { get; set; }

    /// <summary>Number of pods; null where it has no meaning.</summary>
    public ResourceQuantity? Pods { get; set; }
}
