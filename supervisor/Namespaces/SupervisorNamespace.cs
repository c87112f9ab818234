using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Namespaces;

/// <summary>A Kubernetes namespace with zones, limits, storage and permissions. Both have the same name.</summary>
[KubernetesEntity(Group = "supervisor.vks.dev", ApiVersion = "v1alpha1", Kind = "SupervisorNamespace", PluralName = "supervisornamespaces")]
internal sealed class SupervisorNamespace : CustomObject<SupervisorNamespaceSpec, SupervisorNamespaceStatus>
{
    /// <summary>A new one.</summary>
    public static SupervisorNamespace Named(string name, SupervisorNamespaceSpec spec) => Make<SupervisorNamespace>(null, name, spec);
}
