namespace Vks.Supervisor.Hosts;

/// <summary>Where things are in the machine of a member, as the control-plane image (images/controlplane) has them.</summary>
internal static class SphereletPlaces
{
    /// <summary>The persistent disk: folders of members.</summary>
    public const string Directory = "/var/lib/vks-member";

    /// <summary>Kubernetes' programs.</summary>
    public const string Programs = "/usr/lib/vks/kubernetes";

    /// <summary>etcd.</summary>
    public const string Etcd = "/usr/bin/etcd";

    /// <summary>The Supervisor's program.</summary>
    public const string Supervisor = "/usr/lib/vks/supervisor/supervisor";

    /// <summary>The machine's link on the management network.</summary>
    public const string Link = "eth0";
}
