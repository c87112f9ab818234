using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>A Linux host that runs pods, one for each Node, of the same name. It outlives its Node, so that a lost host is seen.</summary>
[KubernetesEntity(Group = "supervisor.vks.dev", ApiVersion = "v1alpha1", Kind = "Host", PluralName = "hosts")]
internal sealed class Host : CustomObject<HostSpec, HostStatus>
{
    /// <summary>A new one.</summary>
    public static Host Named(string name) => Make<Host>(null, name, new HostSpec());
}
