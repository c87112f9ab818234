using k8s.Models;

namespace Vks.Supervisor.Namespaces;

/// <summary>A storage class that may be used.</summary>
internal sealed class StorageClassLimit
{
    /// <summary>Name of the StorageClass.</summary>
    public string Name { get; set; } = "";

    /// <summary>Bytes of all claims of this class; null is no limit of its own.</summary>
    public ResourceQuantity? Limit { get; set; }
}
