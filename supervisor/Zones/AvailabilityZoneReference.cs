namespace Vks.Supervisor.Zones;

/// <summary>Names an <see cref="AvailabilityZone"/>.</summary>
internal sealed class AvailabilityZoneReference
{
    /// <summary>Group and version.</summary>
    public string ApiVersion { get; set; } = "";

    /// <summary>Name.</summary>
    public string Name { get; set; } = "";
}
