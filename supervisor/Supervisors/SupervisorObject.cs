using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Supervisors;

/// <summary>The control plane as a whole: the kind <c>Supervisor</c>. One of a cluster, named as the control plane is.</summary>
[KubernetesEntity(Group = "supervisor.vks.dev", ApiVersion = "v1alpha1", Kind = "Supervisor", PluralName = "supervisors")]
internal sealed class SupervisorObject : CustomObject<SupervisorSpec, SupervisorStatus>
{
    /// <summary>A new one.</summary>
    public static SupervisorObject Named(string name, SupervisorSpec spec) => Make<SupervisorObject>(null, name, spec);
}
