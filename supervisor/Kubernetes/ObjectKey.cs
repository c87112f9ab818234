using k8s;
using k8s.Models;

namespace Vks.Supervisor.Kubernetes;

/// <summary>Which object: what queues and caches are keyed by.</summary>
/// <param name="Space">Namespace; empty for kinds without one.</param>
/// <param name="Name">Name.</param>
internal readonly record struct ObjectKey(string Space, string Name)
{
    /// <summary>The key of an object.</summary>
    public static ObjectKey Of(IKubernetesObject<V1ObjectMeta> item) => new(item.Metadata.NamespaceProperty ?? "", item.Metadata.Name);

    /// <inheritdoc/>
    public override string ToString() => Space.Length == 0 ? Name : $"{Space}/{Name}";
}
