using System.Collections;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace Vks.Spherelet;

/// <summary>Reads the options: a flag wins over the environment, the environment over the settings file, the file over the default.</summary>
internal static class SphereletOptionsLoader
{
    /// <summary>The settings file that is read when it is there.</summary>
    public const string DefaultFile = "/etc/vks/spherelet.json";

    /// <summary>Names that begin with VKS_ and are no settings of the daemon, but of the scripts around it.</summary>
    private static readonly string[] OthersNames = ["VKS_CACHE", "VKS_KUBE_BIN", "VKS_ROOT_DIR", "VKS_RUNTIME_DIR", "VKS_LOG_DIR", "VKS_GUEST_DIR", "VKS_DEMO_REGISTRY", "VKS_SPHERELET"];

    /// <summary>The options and every fault of every source at once.</summary>
    /// <param name="flags">Values by setting name, as given on the command line.</param>
    /// <param name="environment">All environment variables.</param>
    /// <param name="file">The settings file.</param>
    /// <param name="fileRequired">The file was named by the user: then it has to be there.</param>
    public static (SphereletOptions Options, IReadOnlyList<string> Faults) Load(
        IReadOnlyDictionary<string, string> flags, IReadOnlyDictionary<string, string> environment, string file, bool fileRequired)
    {
        SphereletOptions options = new();
        List<string> faults = [];
        ApplyFile(options, file, fileRequired, faults);
        foreach (SphereletSetting setting in SphereletSettings.All)
        {
            if (environment.TryGetValue(setting.EnvironmentName, out string? value))
            {
                Apply(options, setting, value, $"environment variable {setting.EnvironmentName}", faults);
            }
        }

        foreach ((string name, string value) in flags)
        {
            Apply(options, SphereletSettings.All.Single(setting => setting.Name == name), value, $"flag --{name}", faults);
        }

        ValidateOptionsResult checkedOptions = new SphereletOptionsValidator().Validate(null, options);
        faults.AddRange(checkedOptions.Failures ?? []);
        return (options, faults);
    }

    /// <summary>Variables that begin with VKS_ and mean nothing to anyone: most likely a slip of the pen.</summary>
    public static IEnumerable<string> UnknownVariables(IReadOnlyDictionary<string, string> environment) =>
        environment.Keys.Where(static name =>
            name.StartsWith("VKS_", StringComparison.Ordinal)
            && !OthersNames.Contains(name)
            && !name.StartsWith("VKS_TEST_", StringComparison.Ordinal)
            && !SphereletSettings.All.Any(setting => setting.EnvironmentName == name)).Order(StringComparer.Ordinal);

    /// <summary>The environment of this process.</summary>
    public static IReadOnlyDictionary<string, string> ReadEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(static entry => (string)entry.Key, static entry => entry.Value as string ?? "");

    private static void ApplyFile(SphereletOptions options, string file, bool required, List<string> faults)
    {
        if (!required && !File.Exists(file))
        {
            return;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(
                File.ReadAllText(file), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (SphereletSettings.All.FirstOrDefault(setting => setting.FileName == property.Name) is { } known)
                {
                    Apply(options, known, Text(property.Value), $"'{known.FileName}' in {file}", faults);
                }
                else
                {
                    faults.Add($"'{property.Name}' in {file} is no setting. Settings are: {string.Join(", ", SphereletSettings.All.Select(static setting => setting.FileName))}.");
                }
            }
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            faults.Add($"The settings file {file} cannot be read: {problem.Message}");
        }
    }

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.Array
        ? string.Join(',', value.EnumerateArray().Select(static item => item.ToString()))
        : value.ToString();

    private static void Apply(SphereletOptions options, SphereletSetting setting, string value, string source, List<string> faults)
    {
        try
        {
            setting.Apply(options, value);
        }
        catch (FormatException problem)
        {
            faults.Add($"{setting.Name} ({source}): {problem.Message}");
        }
    }
}
