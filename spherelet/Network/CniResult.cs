using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Network;

/// <summary>What a list of plugins gave a pod (result format of CNI 0.3 to 1.1).</summary>
internal sealed record CniResult
{
    /// <summary>Addresses of the pod's interface with prefix, in the plugin's order.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Routes in the order in which the guest can add them: links first, default routes last.</summary>
    public required IReadOnlyList<GuestRoute> Routes { get; init; }

    /// <summary>Reads the final result of ADD.</summary>
    /// <param name="text">JSON.</param>
    /// <param name="interfaceName">The pod's interface; addresses of others are left out.</param>
    /// <exception cref="FormatException">It is no such result.</exception>
    public static CniResult Parse(string text, string interfaceName)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            JsonElement root = document.RootElement;
            string[] interfaces = [.. Items(root, "interfaces").Select(entry => Text(entry, "sandbox") is null ? "" : Text(entry, "name") ?? "")];
            List<(IPNetworkAddress Address, IPAddress? Gateway)> ips = [];
            foreach (JsonElement entry in Items(root, "ips"))
            {
                bool elsewhere = entry.TryGetProperty("interface", out JsonElement index)
                    && index.TryGetInt32(out int number)
                    && (number < 0 || number >= interfaces.Length || interfaces[number] != interfaceName);
                if (!elsewhere)
                {
                    ips.Add((IPNetworkAddress.Parse(Text(entry, "address") ?? ""), Text(entry, "gateway") is { } gateway ? IPAddress.Parse(gateway) : null));
                }
            }

            return new CniResult
            {
                Addresses = [.. ips.Select(static ip => ip.Address.ToString())],
                Routes = Order(ips, [.. Items(root, "routes").Select(route => ReadRoute(route, ips, interfaceName))]),
            };
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"the result is not one of CNI 0.3 or newer: {problem.Message}", problem);
        }
    }

    private static GuestRoute ReadRoute(JsonElement route, List<(IPNetworkAddress Address, IPAddress? Gateway)> ips, string interfaceName)
    {
        string destination = Text(route, "dst") ?? throw new FormatException("a route has no dst");
        IPNetwork network = IPNetwork.Parse(destination);
        string? gateway = Text(route, "gw")
            ?? ips.FirstOrDefault(ip => ip.Gateway?.AddressFamily == network.BaseAddress.AddressFamily).Gateway?.ToString();
        int mtu = route.TryGetProperty("mtu", out JsonElement value) && value.TryGetInt32(out int bytes) ? bytes : 0;
        return new GuestRoute(network.ToString(), gateway, interfaceName, mtu);
    }

    /// <summary>
    /// A kernel refuses a gateway it cannot reach, so a gateway outside every subnet (a /32 pod address) gets a link route first,
    /// and routes with a gateway come after those without.
    /// </summary>
    private static List<GuestRoute> Order(List<(IPNetworkAddress Address, IPAddress? Gateway)> ips, List<GuestRoute> routes)
    {
        List<GuestRoute> links = [];
        foreach (GuestRoute route in routes.Where(static route => route.Gateway is not null))
        {
            IPAddress gateway = IPAddress.Parse(route.Gateway!);
            bool reachable = gateway.IsIPv6LinkLocal
                || ips.Exists(ip => ip.Address.Network.Contains(gateway))
                || routes.Exists(other => other.Gateway is null && IPNetwork.Parse(other.Destination).Contains(gateway));
            string link = gateway + (gateway.AddressFamily == AddressFamily.InterNetwork ? "/32" : "/128");
            if (!reachable && !links.Exists(other => other.Destination == link))
            {
                links.Add(new GuestRoute(link, null, route.Interface));
            }
        }

        return [.. links, .. routes.OrderBy(static route => (route.Gateway is not null, -IPNetwork.Parse(route.Destination).PrefixLength))];
    }

    private static JsonElement.ArrayEnumerator Items(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : default;

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;
}

/// <summary>An address with the length of its prefix; unlike <see cref="IPNetwork"/> it keeps the host part.</summary>
/// <param name="Address">The address.</param>
/// <param name="PrefixLength">0 to 32 or 128.</param>
internal readonly record struct IPNetworkAddress(IPAddress Address, int PrefixLength)
{
    /// <summary>The subnet the address is in.</summary>
    public IPNetwork Network
    {
        get
        {
            byte[] bytes = Address.GetAddressBytes();
            for (int bit = PrefixLength; bit < bytes.Length * 8; bit++)
            {
                bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
            }

            return new IPNetwork(new IPAddress(bytes), PrefixLength);
        }
    }

    /// <summary>Reads <c>10.88.0.5/16</c>.</summary>
    /// <exception cref="FormatException">It is no such text.</exception>
    public static IPNetworkAddress Parse(string text)
    {
        string[] parts = text.Split('/');
        return parts.Length == 2
            && IPAddress.TryParse(parts[0], out IPAddress? address)
            && int.TryParse(parts[1], System.Globalization.NumberStyles.None, null, out int length)
            && length <= address.GetAddressBytes().Length * 8
                ? new IPNetworkAddress(address, length)
                : throw new FormatException($"'{text}' is not an address with prefix");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Address}/{PrefixLength}";
}
