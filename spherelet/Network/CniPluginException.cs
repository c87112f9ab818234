using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>A plugin's refusal in its own words.</summary>
/// <param name="plugin">Its type.</param>
/// <param name="code">Its error code: below 100 the specification's, from 100 on its own; 0 when it gave none.</param>
/// <param name="words">Its msg and details, or the end of its standard error.</param>
internal sealed class CniPluginException(string plugin, int code, string words) : Exception(code == 0 ? words : $"code {code}: {words}")
{
    /// <summary>The plugin's type.</summary>
    public string Plugin { get; } = plugin;

    /// <summary>The plugin's error code, or 0.</summary>
    public int Code { get; } = code;

    /// <summary>The plugin's message.</summary>
    public string Words { get; } = words;

    /// <summary>Reads what a failed plugin printed; a plugin that printed no error object is quoted as it is.</summary>
    public static CniPluginException Read(string plugin, int exitCode, string output, string error)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(output);
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("code", out JsonElement code) && code.TryGetInt32(out int number))
            {
                string message = root.TryGetProperty("msg", out JsonElement msg) ? msg.ToString() : "no message";
                string details = root.TryGetProperty("details", out JsonElement more) && more.ToString() is { Length: > 0 } text ? $" ({text})" : "";
                return new CniPluginException(plugin, number, message + details);
            }
        }
        catch (JsonException)
        {
            // Not an error object: what it said goes to the reader as it is.
        }

        string said = Tail($"{output.Trim()} {error.Trim()}".Trim());
        return new CniPluginException(plugin, 0, $"it ended with exit code {exitCode} and said {(said.Length == 0 ? "nothing" : $"'{said}'")}");
    }

    private static string Tail(string text) => text.Length <= 400 ? text : "…" + text[^400..];
}
