namespace Vks.Supervisor.Zones;

/// <summary>Pools and folder of something in a zone, in the form that clients of vSphere look up.</summary>
internal sealed class ZoneEntity
{
    /// <summary>Resource pools.</summary>
    public IList<string>? PoolMoIDs { get; set; }

    /// <summary>Folder.</summary>
    public string? FolderMoID { get; set; }
}
