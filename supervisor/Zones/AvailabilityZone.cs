using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>A failure domain of hosts: one for each value of the zone label on Nodes.</summary>
[KubernetesEntity(Group = ApiGroup, ApiVersion = ApiGroupVersion, Kind = "AvailabilityZone", PluralName = "availabilityzones")]
internal sealed class AvailabilityZone : CustomObject<AvailabilityZoneSpec, AvailabilityZoneStatus>
{
    /// <summary>The group that VMware's clients know.</summary>
    public const string ApiGroup = "topology.tanzu.vmware.com";

    /// <summary>Its version.</summary>
    public const string ApiGroupVersion = "v1alpha1";

    /// <summary>A new one.</summary>
    public static AvailabilityZone Named(string name) => Make<AvailabilityZone>(null, name, new AvailabilityZoneSpec());
}
