using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Namespaces;

/// <summary>What users may make namespaces from by themselves.</summary>
[KubernetesEntity(Group = "supervisor.vks.dev", ApiVersion = "v1alpha1", Kind = "SupervisorNamespaceTemplate", PluralName = "supervisornamespacetemplates")]
internal sealed class SupervisorNamespaceTemplate : CustomObject<SupervisorNamespaceTemplateSpec, NoStatus>
{
    /// <summary>A new one.</summary>
    public static SupervisorNamespaceTemplate Named(string name, SupervisorNamespaceTemplateSpec spec) => Make<SupervisorNamespaceTemplate>(null, name, spec);
}
