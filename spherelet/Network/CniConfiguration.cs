using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>A network configuration list: the plugins that wire a pod, in order.</summary>
internal sealed record CniConfiguration
{
    private static readonly Version s_newest = new(1, 1, 0);

    /// <summary>The network's name.</summary>
    public required string Name { get; init; }

    /// <summary>Version of the CNI specification that the plugins are to speak.</summary>
    public required string CniVersion { get; init; }

    /// <summary>The author asks that CHECK is never called.</summary>
    public bool DisableCheck { get; init; }

    /// <summary>The author asks that GC is never called: other runtimes share the network's state.</summary>
    public bool DisableGarbageCollection { get; init; }

    /// <summary>The plugins, in the order of ADD.</summary>
    public required IReadOnlyList<CniPlugin> Plugins { get; init; }

    /// <summary>The text it was read from; kept with each pod, so that DEL sees what ADD saw.</summary>
    public required string Text { get; init; }

    /// <summary>Whether the network speaks that version of CNI or a later one.</summary>
    public bool Speaks(Version version) => Version.TryParse(CniVersion, out Version? own) && own >= version;

    /// <summary>Reads a <c>.conflist</c>, or a <c>.conf</c> with one plugin.</summary>
    /// <param name="text">JSON.</param>
    /// <param name="path">Named in errors.</param>
    /// <exception cref="FormatException">It is not a usable configuration; the message says why.</exception>
    public static CniConfiguration Parse(string text, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            JsonElement root = document.RootElement;
            JsonElement[] plugins = root.TryGetProperty("plugins", out JsonElement list) ? [.. list.EnumerateArray()] : [root];
            if (plugins.Length == 0)
            {
                throw new FormatException("its list of plugins is empty");
            }

            return new CniConfiguration
            {
                Name = Required(root, "name"),
                CniVersion = ReadVersion(root),
                DisableCheck = IsTrue(root, "disableCheck"),
                DisableGarbageCollection = IsTrue(root, "disableGC"),
                Plugins = [.. plugins.Select(CniPlugin.Read)],
                Text = text,
            };
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"CNI configuration {path} cannot be used: {problem.Message}. Correct the file or remove it.", problem);
        }
    }

    /// <summary>The newest of <c>cniVersions</c> (CNI 1.1) that is known here, else <c>cniVersion</c>.</summary>
    private static string ReadVersion(JsonElement root)
    {
        string single = root.TryGetProperty("cniVersion", out JsonElement version) ? version.GetString() ?? "" : "0.2.0";
        if (!root.TryGetProperty("cniVersions", out JsonElement several))
        {
            return single;
        }

        return several.EnumerateArray().Select(static entry => entry.GetString() ?? "").Append(single)
            .Where(static text => Version.TryParse(text, out Version? one) && one <= s_newest)
            .MaxBy(static text => Version.Parse(text)) ?? throw new FormatException($"it speaks only CNI {several}, and here {s_newest} is the newest");
    }

    private static bool IsTrue(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && (value.ValueKind == JsonValueKind.True || (value.ValueKind == JsonValueKind.String && value.GetString() == "true"));

    internal static string Required(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.GetString() is { Length: > 0 } text
            ? text
            : throw new FormatException($"it has no '{name}'");
}

/// <summary>One plugin of a network.</summary>
/// <param name="Type">Its program's file name.</param>
/// <param name="Capabilities">What it wants to be told at run time, e.g. <c>portMappings</c>.</param>
/// <param name="Config">Its own configuration object.</param>
internal sealed record CniPlugin(string Type, IReadOnlySet<string> Capabilities, JsonElement Config)
{
    internal static CniPlugin Read(JsonElement element)
    {
        string type = CniConfiguration.Required(element, "type");
        if (type.Contains('/', StringComparison.Ordinal))
        {
            throw new FormatException($"plugin type '{type}' is a path");
        }

        HashSet<string> capabilities = element.TryGetProperty("capabilities", out JsonElement wanted)
            ? [.. wanted.EnumerateObject().Where(static entry => entry.Value.ValueKind == JsonValueKind.True).Select(static entry => entry.Name)]
            : [];
        return new CniPlugin(type, capabilities, element.Clone());
    }
}
