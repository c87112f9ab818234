using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>The network of a host that has no CNI configuration: a bridge with a gateway, masquerading, and forwarded host ports.</summary>
internal static class DefaultCniConfiguration
{
    /// <summary>
    /// Addresses in use. One place for all daemons of a host, by bridge, so that two of them on one bridge never give the same
    /// address twice; under /run, because no pod network outlives a reboot.
    /// </summary>
    internal const string AddressDirectory = "/run/cni/vks";

    /// <summary>The configuration list as JSON.</summary>
    /// <param name="options">Bridge and subnets.</param>
    /// <param name="hasPlugin">Whether a plugin of that type is installed; portmap is left out where it is not.</param>
    public static string Build(PodNetworkOptions options, Func<string, bool> hasPlugin)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("cniVersion", "1.0.0");
            writer.WriteString("name", options.BridgeName);
            writer.WriteStartArray("plugins");
            WriteBridge(writer, options);
            if (hasPlugin("portmap"))
            {
                writer.WriteStartObject();
                writer.WriteString("type", "portmap");
                writer.WriteStartObject("capabilities");
                writer.WriteBoolean("portMappings", true);
                writer.WriteEndObject();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static void WriteBridge(Utf8JsonWriter writer, PodNetworkOptions options)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "bridge");
        writer.WriteString("bridge", options.BridgeName);
        writer.WriteBoolean("isGateway", true);
        writer.WriteBoolean("ipMasq", true);
        writer.WriteBoolean("hairpinMode", true);
        writer.WriteStartObject("ipam");
        writer.WriteString("type", "host-local");
        writer.WriteString("dataDir", AddressDirectory);
        writer.WriteStartArray("ranges");
        foreach (string subnet in options.PodSubnets)
        {
            writer.WriteStartArray();
            writer.WriteStartObject();
            writer.WriteString("subnet", subnet);
            writer.WriteEndObject();
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("routes");
        foreach (string subnet in options.PodSubnets)
        {
            bool ipv4 = System.Net.IPNetwork.Parse(subnet).BaseAddress.AddressFamily == AddressFamily.InterNetwork;
            writer.WriteStartObject();
            writer.WriteString("dst", ipv4 ? "0.0.0.0/0" : "::/0");
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
