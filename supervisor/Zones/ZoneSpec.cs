namespace Vks.Supervisor.Zones;

/// <summary>Which zone it is.</summary>
internal sealed class ZoneSpec
{
    /// <summary>The zone of the whole cluster.</summary>
    public AvailabilityZoneReference AvailabilityZoneReference { get; set; } = new();

    /// <summary>The namespace, in the form that clients of vSphere look up.</summary>
    public ZoneEntity? Namespace { get; set; }
}
