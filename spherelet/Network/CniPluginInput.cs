using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>Builds the JSON a plugin reads from its standard input (CNI specification, "Deriving execution configuration").</summary>
internal static class CniPluginInput
{
    private static readonly Dictionary<string, string> s_nothing = [];

    /// <summary>The plugin's own object with the network's name and version, what it asked to be told, and the result so far.</summary>
    /// <param name="network">The list the plugin belongs to.</param>
    /// <param name="plugin">The plugin.</param>
    /// <param name="runtimeConfig">One JSON value by capability; only those the plugin declares are passed on.</param>
    /// <param name="previousResult">Result of the plugin before it (ADD) or of the whole list (DEL, CHECK), or null.</param>
    public static string Build(
        CniConfiguration network, CniPlugin plugin, IReadOnlyDictionary<string, string> runtimeConfig, string? previousResult) =>
        Build(network, plugin, runtimeConfig, previousResult, valid: null);

    /// <summary>For STATUS: the plugin's own object with the network's name and version.</summary>
    public static string Build(CniConfiguration network, CniPlugin plugin) => Build(network, plugin, s_nothing, previousResult: null, valid: null);

    /// <summary>For GC: the same, with the attachments that are still in use.</summary>
    public static string Build(CniConfiguration network, CniPlugin plugin, IReadOnlyList<CniAttachment> valid) =>
        Build(network, plugin, s_nothing, previousResult: null, valid);

    private static string Build(
        CniConfiguration network,
        CniPlugin plugin,
        IReadOnlyDictionary<string, string> runtimeConfig,
        string? previousResult,
        IReadOnlyList<CniAttachment>? valid)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("cniVersion", network.CniVersion);
            writer.WriteString("name", network.Name);
            foreach (JsonProperty property in plugin.Config.EnumerateObject())
            {
                if (property.Name is not ("cniVersion" or "name" or "capabilities" or "runtimeConfig" or "prevResult" or "cni.dev/valid-attachments"))
                {
                    property.WriteTo(writer);
                }
            }

            KeyValuePair<string, string>[] told = [.. runtimeConfig.Where(entry => plugin.Capabilities.Contains(entry.Key))];
            if (told.Length > 0)
            {
                writer.WriteStartObject("runtimeConfig");
                foreach ((string capability, string value) in told)
                {
                    writer.WritePropertyName(capability);
                    writer.WriteRawValue(value);
                }

                writer.WriteEndObject();
            }

            if (previousResult is not null)
            {
                writer.WritePropertyName("prevResult");
                writer.WriteRawValue(previousResult);
            }

            if (valid is not null)
            {
                writer.WriteStartArray("cni.dev/valid-attachments");
                foreach (CniAttachment attachment in valid)
                {
                    writer.WriteStartObject();
                    writer.WriteString("containerID", attachment.PodId);
                    writer.WriteString("ifname", attachment.InterfaceName);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
