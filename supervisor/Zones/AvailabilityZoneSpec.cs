namespace Vks.Supervisor.Zones;

/// <summary>What a zone is for.</summary>
internal sealed class AvailabilityZoneSpec
{
    /// <summary>Both members of the control plane and pods.</summary>
    public const string Combined = "Combined";

    /// <summary>Members of the control plane only.</summary>
    public const string Management = "Management";

    /// <summary>Pods only.</summary>
    public const string Workload = "Workload";

    /// <summary><see cref="Combined"/>, <see cref="Management"/> or <see cref="Workload"/>.</summary>
    public string Purpose { get; set; } = Combined;

    /// <summary>As clients of vSphere know it; kept, not used.</summary>
    public string? ClusterComputeResourceMoId { get; set; }

    /// <summary>As clients of vSphere know them; kept, not used.</summary>
    public IList<string>? ClusterComputeResourceMoIDs { get; set; }

    /// <summary>The namespaces that may use the zone, by name.</summary>
    public IDictionary<string, NamespaceInfo>? Namespaces { get; set; }
}
