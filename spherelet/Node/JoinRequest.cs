namespace Vks.Spherelet.Node;

/// <summary>What a host must know to become a node of a cluster.</summary>
internal sealed record JoinRequest
{
    /// <summary>The cluster's API server, <c>https://10.0.0.1:6443</c>.</summary>
    public required string Server { get; init; }

    /// <summary>A bootstrap token, <c>abcdef.0123456789abcdef</c>; the kubelet gets its certificate with it.</summary>
    public required string Token { get; init; }

    /// <summary>The cluster's certificate authority, PEM.</summary>
    public required string Authority { get; init; }

    /// <summary>The node's name.</summary>
    public required string NodeName { get; init; }

    /// <summary>The address that the cluster reaches the node by. Not a loopback one: logs and exec would fail.</summary>
    public string NodeIp { get; init; } = "";

    /// <summary>The failure domain, or empty.</summary>
    public string Zone { get; init; } = "";

    /// <summary>Addresses of this node's pods, for a network description of our own; empty where another CNI network is installed.</summary>
    public string PodCidr { get; init; } = "";

    /// <summary>Address of the cluster's DNS Service, or empty.</summary>
    public string ClusterDns { get; init; } = "";

    /// <summary>The kubelet's program.</summary>
    public string Kubelet { get; init; } = "/usr/local/bin/kubelet";

    /// <summary>20 for Kubernetes 1.20: decides which flags and settings it knows.</summary>
    public required int KubeletMinor { get; init; }

    /// <summary>Below which control group the kubelet makes those of pods, or empty for the top.</summary>
    public string CgroupRoot { get; init; } = "";

    /// <summary>Whether the host has cgroup v2 alone.</summary>
    public required bool IsUnified { get; init; }

    /// <summary>The daemon's own program.</summary>
    public required string Spherelet { get; init; }

    /// <summary>The socket of the CRI server.</summary>
    public required string Socket { get; init; }

    /// <summary>Whether systemd is to run daemon and kubelet; without it somebody else starts them.</summary>
    public bool Units { get; init; } = true;

    /// <summary>Where the network description goes.</summary>
    public required string CniConfigDirectory { get; init; }
}
