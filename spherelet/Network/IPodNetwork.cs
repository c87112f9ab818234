using Vks.Runtime.Machines;

namespace Vks.Spherelet.Network;

/// <summary>Gives pods their network: a namespace, an interface wired by CNI, and a tap for the microVM.</summary>
internal interface IPodNetwork
{
    /// <summary>Makes the pod's namespace with a tap for its machine, which can be started in it. No plugin is asked yet. On failure nothing is left.</summary>
    /// <param name="podId">The pod sandbox id.</param>
    /// <param name="cancellationToken">Ends the work and undoes what was done.</param>
    /// <exception cref="NetworkException">What was tried, and what came back.</exception>
    Task<NetworkAttachment> PrepareAsync(string podId, CancellationToken cancellationToken);

    /// <summary>
    /// Runs CNI ADD in the pod's namespace and joins the tap to the CNI interface; prepares the namespace first where that was not done. On failure
    /// nothing is left.
    /// </summary>
    /// <param name="request">The pod; must be given again to <see cref="TearDownAsync(PodNetworkRequest, CancellationToken)"/>, unchanged.</param>
    /// <param name="cancellationToken">Ends the work and undoes what was done.</param>
    /// <exception cref="NetworkException">What was tried, and what came back.</exception>
    Task<PodNetwork> SetUpAsync(PodNetworkRequest request, CancellationToken cancellationToken);

    /// <summary>Runs CNI DEL and deletes tap and namespace. Idempotent: what is gone already is no error, also after a host reboot.</summary>
    /// <param name="request">As it was set up; works also for a set-up that was interrupted half way, by an earlier daemon.</param>
    /// <param name="cancellationToken">Ends the work; call again to finish it.</param>
    /// <exception cref="NetworkException">Something is left; the message says what.</exception>
    Task TearDownAsync(PodNetworkRequest request, CancellationToken cancellationToken);

    /// <summary>As the other, for a pod of which only the id is left.</summary>
    Task TearDownAsync(string podId, CancellationToken cancellationToken);

    /// <summary>The ids of all pods that have a network, whole or half made, by this or an earlier daemon.</summary>
    IReadOnlyList<string> List();

    /// <summary>Asks the plugins whether the pod's network still is as it was made.</summary>
    /// <exception cref="NetworkException">It is not; the message says what is wrong.</exception>
    Task CheckAsync(string podId, CancellationToken cancellationToken);

    /// <summary>Asks the plugins to free what they hold for pods that are not there any more. A plugin that fails is logged.</summary>
    Task CollectAsync(CancellationToken cancellationToken);

    /// <summary>Whether pods can get a network now, for the NetworkReady condition of CRI Status.</summary>
    Task<NetworkCondition> GetConditionAsync(CancellationToken cancellationToken);
}

/// <summary>What CNI is told of a pod.</summary>
internal sealed record PodNetworkRequest
{
    /// <summary>The pod sandbox id, 64 hex digits; its first 12 name the namespace <c>/run/netns/vks-…</c>.</summary>
    public required string PodId { get; init; }

    /// <summary>CNI argument K8S_POD_NAME.</summary>
    public required string Name { get; init; }

    /// <summary>CNI argument K8S_POD_NAMESPACE.</summary>
    public required string Namespace { get; init; }

    /// <summary>CNI argument K8S_POD_UID.</summary>
    public required string Uid { get; init; }

    /// <summary>Host ports to forward, for plugins with the <c>portMappings</c> capability.</summary>
    public IReadOnlyList<PodPortMapping> PortMappings { get; init; } = [];

    /// <summary>Bandwidth annotations and the like, passed on to plugins that ask for them.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();
}

/// <summary>One forwarded host port.</summary>
/// <param name="Protocol"><c>tcp</c>, <c>udp</c> or <c>sctp</c>.</param>
/// <param name="ContainerPort">1 to 65535.</param>
/// <param name="HostPort">1 to 65535.</param>
/// <param name="HostIp">Address to listen on, or empty for all.</param>
internal sealed record PodPortMapping(string Protocol, int ContainerPort, int HostPort, string HostIp);
