namespace Vks.Supervisor.Zones;

/// <summary>Labels and annotations of Nodes that the Supervisor reads.</summary>
internal static class NodeMarks
{
    /// <summary>Label: the zone that the host is in. Upstream's own label, so that upstream's spread constraints know it, too.</summary>
    public const string Zone = "topology.kubernetes.io/zone";

    /// <summary>Annotation: memory that one pod costs beyond its containers, measured on the host, as a quantity.</summary>
    public const string OverheadMemory = "vks.dev/pod-overhead-memory";

    /// <summary>Annotation: CPU that one pod costs beyond its containers, measured on the host, as a quantity.</summary>
    public const string OverheadCpu = "vks.dev/pod-overhead-cpu";
}
