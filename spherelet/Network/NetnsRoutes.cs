using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Network;

/// <summary>Reads routes as iproute2 prints them, for plugins that set routes in the namespace without reporting them.</summary>
internal static class NetnsRoutes
{
    /// <summary>The routes a guest must be given: those the kernel makes by itself from the addresses are left out, link routes come first.</summary>
    /// <param name="json">Output of <c>ip -json route show dev …</c>.</param>
    /// <param name="interfaceName">The interface's name in the guest.</param>
    /// <param name="ipv6">The family that was asked for.</param>
    public static IReadOnlyList<GuestRoute> Parse(string json, string interfaceName, bool ipv6)
    {
        if (string.IsNullOrWhiteSpace(json))
        {
            return [];
        }

        using JsonDocument document = JsonDocument.Parse(json);
        List<GuestRoute> routes = [];
        foreach (JsonElement route in document.RootElement.EnumerateArray())
        {
            string protocol = route.TryGetProperty("protocol", out JsonElement by) ? by.GetString() ?? "" : "";
            if (protocol is "kernel" or "ra" || !route.TryGetProperty("dst", out JsonElement dst) || dst.GetString() is not { } destination)
            {
                continue;
            }

            string host = ipv6 ? "/128" : "/32";
            string full = destination switch
            {
                "default" => ipv6 ? "::/0" : "0.0.0.0/0",
                _ => destination.Contains('/', StringComparison.Ordinal) ? destination : destination + host,
            };
            routes.Add(new GuestRoute(full, route.TryGetProperty("gateway", out JsonElement gateway) ? gateway.GetString() : null, interfaceName));
        }

        return [.. routes.OrderBy(static route => route.Gateway is not null)];
    }
}
