namespace Vks.Supervisor.Zones;

/// <summary>What people want of a host.</summary>
internal sealed class HostSpec
{
    /// <summary>New pods go elsewhere; those that run stay.</summary>
    public bool MaintenanceMode { get; set; }
}
