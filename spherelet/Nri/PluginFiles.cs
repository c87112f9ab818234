namespace Vks.Spherelet.Nri;

/// <summary>A plugin that is started with the daemon.</summary>
/// <param name="Path">Its program.</param>
/// <param name="Name">Name and place, as its file is called.</param>
/// <param name="Config">Its settings, or empty.</param>
internal sealed record PluginFile(string Path, PluginName Name, string Config);

/// <summary>Finds the plugins that are installed on the host.</summary>
internal static class PluginFiles
{
    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Programs called <c>NN-NAME</c>, in order; their settings are <c>NN-NAME.conf</c>, else <c>NAME.conf</c>.</summary>
    /// <param name="options">The folders; one that is not there has none.</param>
    /// <param name="passedOver">Told of programs that are called otherwise, and of settings that cannot be read.</param>
    public static IReadOnlyList<PluginFile> Find(NriOptions options, Action<string, string> passedOver)
    {
        var found = new List<PluginFile>();
        if (options.PluginDirectory.Length == 0 || !Directory.Exists(options.PluginDirectory))
        {
            return found;
        }

        foreach (string path in Directory.EnumerateFiles(options.PluginDirectory).Order(StringComparer.Ordinal))
        {
            if ((File.GetUnixFileMode(path) & Executable) == 0)
            {
                continue;
            }

            if (PluginName.Parse(Path.GetFileName(path)) is not { } name)
            {
                passedOver(path, "its name is not NN-NAME");
                continue;
            }

            try
            {
                found.Add(new PluginFile(path, name, ReadConfig(options.PluginConfigDirectory, name)));
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                passedOver(path, $"its settings cannot be read: {cause.Message}");
            }
        }

        return found;
    }

    private static string ReadConfig(string directory, PluginName name) =>
        new[] { $"{name}.conf", $"{name.Base}.conf" }.Select(file => Path.Combine(directory, file)).FirstOrDefault(File.Exists) is { } path
            ? File.ReadAllText(path)
            : "";
}
