using k8s.Models;

namespace Vks.Supervisor.Namespaces;

/// <summary>What a container has that names no limit or request.</summary>
internal sealed class ContainerDefaults
{
    /// <summary>CPUs at most.</summary>
    public ResourceQuantity CpuLimit { get; set; } = new("1");

    /// <summary>CPUs asked for.</summary>
    public ResourceQuantity CpuRequest { get; set; } = new("250m");

    /// <summary>Bytes at most: the size of a machine whose pod says nothing.</summary>
    public ResourceQuantity MemoryLimit { get; set; } = new("512Mi");

    /// <summary>Bytes asked for.</summary>
    public ResourceQuantity MemoryRequest { get; set; } = new("512Mi");
}
