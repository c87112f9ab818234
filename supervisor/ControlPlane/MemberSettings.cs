using System.Net;

namespace Vks.Supervisor.ControlPlane;

/// <summary>What one member of the control plane is told by its settings file. See the README for the file.</summary>
internal sealed record MemberSettings
{
    /// <summary>The control plane's name: a DNS label; the same in all members.</summary>
    public required string Cluster { get; init; }

    /// <summary>This member's name: a DNS label; one of <see cref="Members"/>.</summary>
    public required string Name { get; init; }

    /// <summary>Folder of all its files: <c>pki</c>, <c>etcd</c>, <c>log</c>, <c>run</c>.</summary>
    public required string Directory { get; init; }

    /// <summary>Folder with kube-apiserver, kube-controller-manager and kube-scheduler.</summary>
    public required string Programs { get; init; }

    /// <summary>The etcd program.</summary>
    public required string Etcd { get; init; }

    /// <summary>How much load the programs are set up for.</summary>
    public required MemberSize Size { get; init; }

    /// <summary>The link of the management network.</summary>
    public required string Link { get; init; }

    /// <summary>Length of the management network's prefix, in bits.</summary>
    public required int Prefix { get; init; }

    /// <summary>This member's management address.</summary>
    public required IPAddress Address { get; init; }

    /// <summary>The address that moves to a healthy member; null for a control plane without one.</summary>
    public required IPAddress? FloatingAddress { get; init; }

    /// <summary>All members that the etcd cluster has when this one starts for the first time, itself included.</summary>
    public required IReadOnlyList<MemberPeer> Members { get; init; }

    /// <summary>Whether it joins an etcd cluster that is already there; counts only while it has no data.</summary>
    public required bool Join { get; init; }

    /// <summary>Addresses of Services.</summary>
    public required IPNetwork Services { get; init; }

    /// <summary>Addresses of pods that are handed out to nodes; null when the nodes have theirs from elsewhere.</summary>
    public required IPNetwork? Pods { get; init; }

    /// <summary>Days that a certificate of a program is good for; a new one is made when a third of it is left.</summary>
    public required int CertificateDays { get; init; }

    /// <summary>How long the audit log is kept.</summary>
    public required AuditSettings Audit { get; init; }

    /// <summary>Who else may say who somebody is; null for nobody.</summary>
    public required OidcSettings? Oidc { get; init; }

    /// <summary>Where this host's placement service listens, on loopback; null: no Supervisor runs beside the member, and kube-scheduler asks nobody.</summary>
    public IPEndPoint? Placement { get; init; }

    /// <summary>The zone that the host is in; empty when it was not said.</summary>
    public string Zone { get; init; } = "";

    /// <summary>Features of Kubernetes to switch, as <c>A=true,B=false</c>; empty for its own choice.</summary>
    public string FeatureGates { get; init; } = "";

    /// <summary>The port of kube-apiserver on all addresses of the member.</summary>
    public const int ApiPort = 6443;

    /// <summary>The port on which etcd talks to clients.</summary>
    public const int EtcdPort = 2379;

    /// <summary>The port on which etcd talks to its peers.</summary>
    public const int EtcdPeerPort = 2380;

    /// <summary>Certificates and keys.</summary>
    public string PkiDirectory => Path.Combine(Directory, "pki");

    /// <summary>What the programs say.</summary>
    public string LogDirectory => Path.Combine(Directory, "log");

    /// <summary>Process ids and the member's state; worth nothing after a boot.</summary>
    public string RunDirectory => Path.Combine(Directory, "run");

    /// <summary>etcd's data.</summary>
    public string EtcdDirectory => Path.Combine(Directory, "etcd");

    /// <summary>Certificates between this host's kube-scheduler, kube-apiserver and placement service.</summary>
    public string PlacementDirectory => Path.Combine(Directory, "placement");

    /// <summary>The first address of <see cref="Services"/>, which is kube-apiserver's own.</summary>
    public IPAddress ServiceAddress
    {
        get
        {
            byte[] bytes = Services.BaseAddress.GetAddressBytes();
            bytes[^1] |= 1;
            return new IPAddress(bytes);
        }
    }

    /// <summary>An address as it stands in a URL.</summary>
    /// <param name="address">IPv4 or IPv6.</param>
    public static string UrlHost(IPAddress address) =>
        address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
}
