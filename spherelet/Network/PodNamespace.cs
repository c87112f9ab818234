using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>A pod's network namespace: made, joined to a tap, and deleted.</summary>
/// <remarks>
/// The tap and the CNI interface are joined by redirecting all that comes in on one out of the other, before the host's IP
/// layer sees it. So the addresses may stay on the CNI interface (plugins look for them on DEL and CHECK) and yet only the
/// guest answers for them. The filter is u32, which more kernels have than matchall.
/// </remarks>
internal static class PodNamespace
{
    /// <summary>The tap's name in every pod's namespace.</summary>
    public const string TapName = "tap0";

    /// <summary>Where the kernel's named namespaces are.</summary>
    public const string Directory = "/run/netns";

    private const string Prefix = "vks-";

    /// <summary>The namespace's name: <c>vks-</c> and the first 12 digits of the pod id.</summary>
    public static string NameOf(string podId) => Prefix + (podId.Length <= 12 ? podId : podId[..12]);

    /// <summary>The namespace's path.</summary>
    public static string PathOf(string podId) => $"{Directory}/{NameOf(podId)}";

    /// <summary>Makes the namespace with loopback up and the tap in it.</summary>
    public static async Task CreateAsync(string podId, CancellationToken cancellationToken)
    {
        await IpBatch.RunAsync(podId, "ip", [], [$"netns add {NameOf(podId)}"], cancellationToken);
        await IpBatch.RunAsync(
            podId,
            "ip",
            ["-n", NameOf(podId)],
            ["link set lo up", $"tuntap add dev {TapName} mode tap", $"link set {TapName} addrgenmode none up"],
            cancellationToken);
    }

    /// <summary>Deletes the namespace with all that is in it. One that is gone is no error.</summary>
    public static async Task DeleteAsync(string podId, CancellationToken cancellationToken)
    {
        if (File.Exists(PathOf(podId)))
        {
            await IpBatch.RunAsync(podId, "ip", [], [$"netns delete {NameOf(podId)}"], cancellationToken);
        }
    }

    /// <summary>Joins the tap to the interface that CNI made.</summary>
    /// <returns>The interface's MAC, which the guest takes over, and its MTU.</returns>
    public static async Task<(string Mac, int Mtu)> JoinTapAsync(string podId, string interfaceName, CancellationToken cancellationToken)
    {
        string[] inNamespace = ["-n", NameOf(podId)];
        Task<string> redirecting = IpBatch.RunAsync(podId, "tc", inNamespace, RedirectCommands(interfaceName), cancellationToken);
        Task<string> looking = IpBatch.RunAsync(podId, "ip", ["-json", .. inNamespace], [$"link show dev {interfaceName}"], cancellationToken);
        await Task.WhenAll(redirecting, looking);
        (string mac, int mtu) = ReadLink(await looking, podId, interfaceName);
        if (mtu != 1500)
        {
            await IpBatch.RunAsync(podId, "ip", inNamespace, [$"link set {TapName} mtu {mtu}"], cancellationToken);
        }

        return (mac, mtu);
    }

    /// <summary>The routes of the interface as they stand in the namespace, for plugins that set routes without reporting them.</summary>
    public static async Task<string> ShowRoutesAsync(string podId, string interfaceName, bool ipv6, CancellationToken cancellationToken) =>
        await IpBatch.RunAsync(
            podId, "ip", ["-json", ipv6 ? "-6" : "-4", "-n", NameOf(podId)], [$"route show dev {interfaceName}"], cancellationToken);

    private static IReadOnlyList<string> RedirectCommands(string interfaceName) =>
    [
        $"qdisc add dev {interfaceName} ingress",
        $"qdisc add dev {TapName} ingress",
        $"filter add dev {interfaceName} parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev {TapName}",
        $"filter add dev {TapName} parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev {interfaceName}",
    ];

    private static (string Mac, int Mtu) ReadLink(string json, string podId, string interfaceName)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement link = document.RootElement[0];
            return (link.GetProperty("address").GetString() ?? "", link.GetProperty("mtu").GetInt32());
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw new NetworkException(
                NetworkFault.HostFailed, podId, $"'ip -json link show dev {interfaceName}' of pod {podId} printed something unknown: {json.Trim()}", problem);
        }
    }
}
