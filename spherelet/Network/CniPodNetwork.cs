using System.Text.Json;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Network;

/// <summary>Pod networks by CNI, with a tap for the microVM.</summary>
/// <remarks>
/// The id is stored before the namespace is made, the attachment before ADD runs, and both are forgotten after DEL and the namespace are through:
/// whatever a crash leaves is found by <see cref="List"/> and can be torn down by an id alone.
/// </remarks>
internal sealed partial class CniPodNetwork(PodNetworkOptions options, ILogger<CniPodNetwork> logger) : IPodNetwork
{
    /// <summary>The name of the interface, in the namespace and in the guest.</summary>
    internal const string InterfaceName = "eth0";

    private readonly CniConfigurationSource _source = new(options);
    private readonly CniInvoker _invoker = new(options);
    private readonly CniAttachmentStore _store = new(Path.Combine(options.StateDirectory, "pods"));

    /// <inheritdoc/>
    public Task<NetworkAttachment> PrepareAsync(string podId, CancellationToken cancellationToken) =>
        NetworkTelemetry.TraceAsync("network prepare", () => PrepareOnceAsync(podId, cancellationToken));

    /// <inheritdoc/>
    public Task<PodNetwork> SetUpAsync(PodNetworkRequest request, CancellationToken cancellationToken) =>
        NetworkTelemetry.TraceAsync("network setup", () => SetUpOnceAsync(request, cancellationToken));

    /// <inheritdoc/>
    public Task TearDownAsync(PodNetworkRequest request, CancellationToken cancellationToken) =>
        TearDownAsync(request.PodId, cancellationToken);

    /// <inheritdoc/>
    public async Task TearDownAsync(string podId, CancellationToken cancellationToken)
    {
        if (await FindAsync(podId, cancellationToken) is { } attachment)
        {
            await _invoker.DeleteAsync(attachment, cancellationToken);
        }

        await PodNamespace.DeleteAsync(podId, cancellationToken);
        _store.Remove(podId);
        TornDown(podId);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> List() => _store.List();

    /// <inheritdoc/>
    public async Task CheckAsync(string podId, CancellationToken cancellationToken)
    {
        CniAttachment attachment = await FindAsync(podId, cancellationToken) ?? throw new NetworkException(
            NetworkFault.NotConfigured, podId, $"Pod {podId} has no network on this host.");
        if (!File.Exists(attachment.NetnsPath))
        {
            throw new NetworkException(
                NetworkFault.HostFailed, podId, $"The network namespace {attachment.NetnsPath} of pod {podId} is gone (a reboot, or 'ip netns delete').");
        }

        await _invoker.CheckAsync(attachment, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task CollectAsync(CancellationToken cancellationToken)
    {
        try
        {
            CniConfiguration network = await _source.LoadAsync(cancellationToken);
            List<CniAttachment> valid = [];
            foreach (string podId in _store.List())
            {
                if (await FindAsync(podId, cancellationToken) is { } attachment && attachment.Network.Name == network.Name)
                {
                    valid.Add(attachment);
                }
            }

            await _invoker.CollectAsync(network, valid, cancellationToken);
        }
        catch (Exception problem) when (problem is NetworkException or FormatException or IOException or UnauthorizedAccessException)
        {
            // Pods can be served all the same; the condition of Status tells a network that is unusable.
            NotCollected(problem);
        }
    }

    /// <inheritdoc/>
    public async Task<NetworkCondition> GetConditionAsync(CancellationToken cancellationToken)
    {
        try
        {
            CniConfiguration network = await _source.LoadAsync(cancellationToken);
            string[] missing = [.. network.Plugins.Select(static plugin => plugin.Type).Where(type => _invoker.FindPlugin(type) is null)];
            if (missing.Length > 0)
            {
                return new NetworkCondition(
                    false,
                    "CniPluginMissing",
                    $"CNI network '{network.Name}' needs the plugins {string.Join(", ", missing)}, which are not in {string.Join(" or ", options.PluginDirectories)}. Install them (Debian: apt-get install containernetworking-plugins).");
            }

            await _invoker.StatusAsync(network, cancellationToken);
            return new NetworkCondition(true, "", "");
        }
        catch (NetworkException problem)
        {
            return new NetworkCondition(false, "CniStatus", problem.Message);
        }
        catch (Exception problem) when (problem is FormatException or IOException or UnauthorizedAccessException)
        {
            return new NetworkCondition(false, "CniConfigInvalid", problem.Message);
        }
    }

    private async Task<PodNetwork> SetUpOnceAsync(PodNetworkRequest request, CancellationToken cancellationToken)
    {
        if (!_store.IsReserved(request.PodId))
        {
            await PrepareOnceAsync(request.PodId, cancellationToken);
        }

        try
        {
            CniAttachment attachment = await PlanAsync(request, cancellationToken);
            await _store.SaveAsync(attachment, cancellationToken);
            attachment = attachment with { Result = await _invoker.AddAsync(attachment, cancellationToken) };
            await _store.SaveAsync(attachment, cancellationToken);
            (string mac, int mtu) = await PodNamespace.JoinTapAsync(request.PodId, InterfaceName, cancellationToken);
            (IReadOnlyList<string> addresses, IReadOnlyList<GuestRoute> routes) = await ReadResultAsync(attachment, cancellationToken);
            SetUp(request.PodId, string.Join(", ", addresses));
            return new PodNetwork
            {
                Attachment = new NetworkAttachment(attachment.NetnsPath, PodNamespace.TapName, mac, mtu),
                InterfaceName = InterfaceName,
                Addresses = addresses,
                Routes = routes,
            };
        }
        catch (Exception)
        {
            // The caller's token may be the reason, and the undoing must be done all the same.
            await UndoAsync(request.PodId, CancellationToken.None);
            throw;
        }
    }

    private async Task<NetworkAttachment> PrepareOnceAsync(string podId, CancellationToken cancellationToken)
    {
        string path = PodNamespace.PathOf(podId);
        if (File.Exists(path) || _store.Contains(podId))
        {
            throw new NetworkException(
                NetworkFault.HostFailed,
                podId,
                $"Pod {podId} cannot get a network: {path} or a stored network of that id is there already. Tear it down first.");
        }

        try
        {
            _store.Reserve(podId);
            await PodNamespace.CreateAsync(podId, cancellationToken);
            return NetworkAttachment.Unwired(path, PodNamespace.TapName);
        }
        catch (Exception)
        {
            await UndoAsync(podId, CancellationToken.None);
            throw;
        }
    }

    private async Task<CniAttachment> PlanAsync(PodNetworkRequest request, CancellationToken cancellationToken)
    {
        try
        {
            CniConfiguration network = await _source.LoadAsync(cancellationToken);
            return new CniAttachment
            {
                PodId = request.PodId,
                NetnsPath = PodNamespace.PathOf(request.PodId),
                InterfaceName = InterfaceName,
                Arguments = CniRuntimeConfig.Arguments(request),
                RuntimeConfig = CniRuntimeConfig.Build(request),
                NetworkText = network.Text,
            };
        }
        catch (FormatException problem)
        {
            throw new NetworkException(NetworkFault.NotConfigured, request.PodId, $"Pod {request.PodId} gets no network: {problem.Message}", problem);
        }
    }

    private async Task<CniAttachment?> FindAsync(string podId, CancellationToken cancellationToken)
    {
        try
        {
            return await _store.FindAsync(podId, cancellationToken);
        }
        catch (JsonException problem)
        {
            throw new NetworkException(
                NetworkFault.HostFailed,
                podId,
                $"The stored network of pod {podId} in {options.StateDirectory}/pods cannot be read: {problem.Message}. Remove the file, then 'ip netns delete {PodNamespace.NameOf(podId)}'.",
                problem);
        }
    }

    private static async Task<(IReadOnlyList<string> Addresses, IReadOnlyList<GuestRoute> Routes)> ReadResultAsync(
        CniAttachment attachment, CancellationToken cancellationToken)
    {
        CniResult result;
        try
        {
            result = CniResult.Parse(attachment.Result!, attachment.InterfaceName);
        }
        catch (FormatException problem)
        {
            throw new NetworkException(
                NetworkFault.PluginFailed,
                attachment.PodId,
                $"CNI ADD of network '{attachment.Network.Name}' for pod {attachment.PodId}: {problem.Message}. It has to speak CNI 0.3.0 or newer.",
                problem);
        }

        if (result.Addresses.Count == 0)
        {
            throw new NetworkException(
                NetworkFault.PluginFailed,
                attachment.PodId,
                $"CNI ADD of network '{attachment.Network.Name}' for pod {attachment.PodId} gave no IP address for {attachment.InterfaceName}. Give the network an 'ipam' section.");
        }

        if (result.Routes.Count > 0)
        {
            return (result.Addresses, result.Routes);
        }

        List<GuestRoute> routes = [];
        foreach (bool ipv6 in result.Addresses.Select(static address => address.Contains(':', StringComparison.Ordinal)).Distinct())
        {
            string json = await PodNamespace.ShowRoutesAsync(attachment.PodId, attachment.InterfaceName, ipv6, cancellationToken);
            routes.AddRange(NetnsRoutes.Parse(json, attachment.InterfaceName, ipv6));
        }

        return (result.Addresses, routes);
    }

    private async Task UndoAsync(string podId, CancellationToken cancellationToken)
    {
        try
        {
            await TearDownAsync(podId, cancellationToken);
        }
        catch (NetworkException problem)
        {
            // What is left stays in the store, so that the next start of the daemon finds and removes it.
            UndoFailed(problem, podId);
        }
    }

    [LoggerMessage(3401, LogLevel.Debug, "Pod {PodId}: network is up, {Addresses}")]
    private partial void SetUp(string podId, string addresses);

    [LoggerMessage(3402, LogLevel.Debug, "Pod {PodId}: network is gone")]
    private partial void TornDown(string podId);

    [LoggerMessage(3403, LogLevel.Warning, "Pod {PodId}: its network could not be set up, and what was done could not be undone; it is tried again when the daemon starts")]
    private partial void UndoFailed(Exception problem, string podId);

    [LoggerMessage(3404, LogLevel.Warning, "The CNI plugins could not be asked to free what no pod uses any more; addresses may stay taken until the next start")]
    private partial void NotCollected(Exception problem);
}
