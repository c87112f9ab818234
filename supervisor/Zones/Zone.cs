using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>A zone that a namespace may use, and the namespace's share in it.</summary>
[KubernetesEntity(Group = AvailabilityZone.ApiGroup, ApiVersion = AvailabilityZone.ApiGroupVersion, Kind = "Zone", PluralName = "zones")]
internal sealed class Zone : CustomObject<ZoneSpec, ZoneStatus>
{
    /// <summary>A new one.</summary>
    public static Zone In(string space, string name) => Make<Zone>(space, name, new ZoneSpec
    {
        AvailabilityZoneReference = new AvailabilityZoneReference { ApiVersion = $"{AvailabilityZone.ApiGroup}/{AvailabilityZone.ApiGroupVersion}", Name = name },
        Namespace = new ZoneEntity { PoolMoIDs = [space], FolderMoID = space },
    });
}
