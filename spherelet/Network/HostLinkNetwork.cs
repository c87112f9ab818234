using System.Net.NetworkInformation;
using System.Text.Json;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Network;

/// <summary>Puts a machine on a link of the host as a neighbour of its own, with a hardware address and addresses of its choice.</summary>
/// <remarks>
/// A link that is a bridge gets one more port, so that the host and its other machines reach the new neighbour as well as the wire does. Any other
/// link gets a macvlan: then everybody but the host itself reaches it, since a macvlan's parent never hears its children. As with pods, the machine's
/// tap is joined to that interface in a namespace of its own (<see cref="PodNamespace"/>), and nothing on the host answers for the addresses.
/// </remarks>
internal static class HostLinkNetwork
{
    private const string InterfaceName = "eth0";
    private const string PortPrefix = "vksk-";

    /// <summary>Joins a machine to a link. What an earlier try left is removed first.</summary>
    /// <param name="id">The machine, 64 hex digits.</param>
    /// <param name="link">The host's link.</param>
    /// <param name="mac">The machine's hardware address.</param>
    /// <param name="cancellationToken">Ends the work; <see cref="RemoveAsync"/> takes away what is there by then.</param>
    /// <exception cref="NetworkException"><see cref="NetworkFault.NotConfigured"/>: there is no such link. <see cref="NetworkFault.HostFailed"/>: the host refused.</exception>
    public static async Task<NetworkAttachment> JoinAsync(string id, string link, string mac, CancellationToken cancellationToken)
    {
        await RemoveAsync(id, cancellationToken);
        (bool isBridge, int mtu) = await LookAsync(id, link, cancellationToken);
        await PodNamespace.CreateAsync(id, cancellationToken);
        string there = PodNamespace.NameOf(id);
        string[] join = isBridge
            ?
            [
                $"link add name {PortOf(id)} mtu {mtu} type veth peer name {InterfaceName} address {mac} mtu {mtu} netns {there}",
                $"link set {PortOf(id)} addrgenmode none",
                $"link set {PortOf(id)} master {link} up",
            ]
            : [$"link add link {link} name {InterfaceName} address {mac} mtu {mtu} netns {there} type macvlan mode bridge"];
        await IpBatch.RunAsync(id, "ip", [], join, cancellationToken);

        // All of multicast: neighbours of IPv6 are found by groups that only the guest knows to be in.
        await IpBatch.RunAsync(
            id, "ip", ["-n", there], [$"link set {InterfaceName} addrgenmode none", $"link set {InterfaceName} allmulticast on up"], cancellationToken);
        (string found, int foundMtu) = await PodNamespace.JoinTapAsync(id, InterfaceName, cancellationToken);
        return new NetworkAttachment(PodNamespace.PathOf(id), PodNamespace.TapName, found, foundMtu);
    }

    /// <summary>Takes the machine off its link. One that is not on any is no error.</summary>
    /// <param name="id">The machine.</param>
    /// <param name="cancellationToken">Ends the work; call again to finish it.</param>
    /// <exception cref="NetworkException"><see cref="NetworkFault.HostFailed"/>: something is left.</exception>
    public static async Task RemoveAsync(string id, CancellationToken cancellationToken)
    {
        await PodNamespace.DeleteAsync(id, cancellationToken);

        // A namespace that goes takes its end of a veth along a moment later, and the other end with it; whoever comes back at once must not find it.
        if (IsThere(PortOf(id)))
        {
            try
            {
                await IpBatch.RunAsync(id, "ip", [], [$"link delete {PortOf(id)}"], cancellationToken);
            }
            catch (NetworkException) when (!IsThere(PortOf(id)))
            {
                // Gone by itself between the look and the deed.
            }
        }
    }

    /// <summary>Asked of the kernel: what is in /sys may be another network namespace's.</summary>
    private static bool IsThere(string link) => NetworkInterface.GetAllNetworkInterfaces().Any(known => known.Name == link);

    private static string PortOf(string id) => PortPrefix + id[..8];

    private static async Task<(bool IsBridge, int Mtu)> LookAsync(string id, string link, CancellationToken cancellationToken)
    {
        string json;
        try
        {
            json = await IpBatch.RunAsync(id, "ip", ["-json", "-details"], [$"link show dev {link}"], cancellationToken);
        }
        catch (NetworkException problem)
        {
            throw new NetworkException(NetworkFault.NotConfigured, id, $"The host has no link '{link}' to put machine {id[..12]} on: {problem.Message}. See 'ip -br link'.", problem);
        }

        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement found = document.RootElement[0];
        bool isBridge = found.TryGetProperty("linkinfo", out JsonElement info) && info.TryGetProperty("info_kind", out JsonElement kind) && kind.GetString() == "bridge";
        return (isBridge, found.GetProperty("mtu").GetInt32());
    }
}
