using k8s.Models;

namespace Vks.Supervisor.Zones;

/// <summary>What one pod costs its host beyond its containers: the machine around them.</summary>
internal sealed class PodOverhead
{
    /// <summary>CPUs.</summary>
    public ResourceQuantity? Cpu { get; set; }

    /// <summary>Bytes.</summary>
    public ResourceQuantity? Memory { get; set; }

    /// <summary><c>Measured</c> by the host, or <c>Default</c>.</summary>
    public string? Source { get; set; }
}
