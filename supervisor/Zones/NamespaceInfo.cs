namespace Vks.Supervisor.Zones;

/// <summary>A namespace's entry in a zone, in the form that clients of vSphere look up.</summary>
internal sealed class NamespaceInfo
{
    /// <summary>Resource pool; here the namespace's own name.</summary>
    public string? PoolMoId { get; set; }

    /// <summary>Resource pools.</summary>
    public IList<string>? PoolMoIDs { get; set; }

    /// <summary>Folder; here the namespace's own name.</summary>
    public string? FolderMoId { get; set; }
}
