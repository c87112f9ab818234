using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>What a pod sandbox is to be. Kept on disk as it was asked for.</summary>
internal sealed record PodConfig
{
    /// <summary>Name, namespace, uid and attempt, which together name the sandbox.</summary>
    public required PodName Name { get; init; }

    /// <summary>Host name in the guest, 1 to 63 bytes.</summary>
    public required string Hostname { get; init; }

    /// <summary>Absolute host directory for container logs, or empty for none.</summary>
    public string LogDirectory { get; init; } = "";

    /// <summary>Content of resolv.conf, or null for the host's own servers.</summary>
    public PodDns? Dns { get; init; }

    /// <summary>Host ports that lead into the pod.</summary>
    public IReadOnlyList<PodPortMapping> PortMappings { get; init; } = [];

    /// <summary>Labels, for filters.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Annotations, kept for the caller.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    /// <summary>Sum of the containers' limits, zero fields when there are none.</summary>
    public ResourceLimits Resources { get; init; } = new();

    /// <summary>What the sandbox itself may use on top, zero fields when not told.</summary>
    public ResourceLimits Overhead { get; init; } = new();

    /// <summary>Kernel parameters of the guest.</summary>
    public IReadOnlyDictionary<string, string> Sysctls { get; init; } = new Dictionary<string, string>();

    /// <summary>Privileged containers may be made in it.</summary>
    public bool Privileged { get; init; }

    /// <summary>Whose process ids its containers see when they do not say.</summary>
    public NamespaceScope PidScope { get; init; } = NamespaceScope.Pod;

    /// <summary>Whose IPC its containers see; the guest is the pod's node, so the pod's and the node's are the same.</summary>
    public NamespaceScope IpcScope { get; init; } = NamespaceScope.Pod;

    /// <summary>The user namespace of its containers, or null for the guest's own.</summary>
    public GuestUserNamespace? UserNamespace { get; init; }

    /// <summary>The runtime handler asked for; empty is the default.</summary>
    public string RuntimeHandler { get; init; } = "";
}

/// <summary>With whom a namespace is shared.</summary>
internal enum NamespaceScope
{
    /// <summary>All containers of the pod.</summary>
    Pod = 0,

    /// <summary>Nobody.</summary>
    Container = 1,

    /// <summary>The node, which for a pod's containers is their guest.</summary>
    Node = 2,

    /// <summary>One other container.</summary>
    Target = 3,
}

/// <summary>Names a sandbox: no two have all four parts in common.</summary>
/// <param name="Name">The pod's name.</param>
/// <param name="Namespace">Its Kubernetes namespace.</param>
/// <param name="Uid">Its uid.</param>
/// <param name="Attempt">Counts the sandboxes made for the pod.</param>
internal sealed record PodName(string Name, string Namespace, string Uid, uint Attempt)
{
    /// <summary>All parts in one text, for messages.</summary>
    public override string ToString() => $"{Namespace}/{Name} (uid {Uid}, attempt {Attempt})";
}

/// <summary>Content of resolv.conf.</summary>
/// <param name="Servers">Addresses.</param>
/// <param name="Searches">Domains.</param>
/// <param name="Options">Options, <c>ndots:5</c>.</param>
internal sealed record PodDns(IReadOnlyList<string> Servers, IReadOnlyList<string> Searches, IReadOnlyList<string> Options);
