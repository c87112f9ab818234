using System.Text.Json;

namespace Vks.Spherelet.Node;

/// <summary>Reads <c>artifacts.json</c> of the guest directory: which hash each file must have.</summary>
internal static class GuestArtifacts
{
    /// <summary>SHA-256 by file name; empty when the text is missing or damaged.</summary>
    /// <param name="json">A list of, or an object by file name with, records that have <c>sha256</c> and, in a list, <c>name</c>.</param>
    public static Dictionary<string, string> Read(string json)
    {
        Dictionary<string, string> hashes = new(StringComparer.Ordinal);
        try
        {
            using JsonDocument document = JsonDocument.Parse(json.Length == 0 ? "{}" : json);
            Collect(document.RootElement, "", hashes);
        }
        catch (JsonException)
        {
            hashes.Clear();
        }

        return hashes;
    }

    private static void Collect(JsonElement element, string name, Dictionary<string, string> hashes)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    Collect(item, "", hashes);
                }

                break;
            case JsonValueKind.Object:
                string own = element.TryGetProperty("name", out JsonElement given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : name;
                if (own.Length > 0 && element.TryGetProperty("sha256", out JsonElement hash) && hash.ValueKind == JsonValueKind.String)
                {
                    hashes[own] = hash.GetString()!;
                }

                foreach (JsonProperty property in element.EnumerateObject())
                {
                    Collect(property.Value, property.Name, hashes);
                }

                break;
            default:
                break;
        }
    }
}
