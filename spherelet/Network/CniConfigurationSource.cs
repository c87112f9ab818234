namespace Vks.Spherelet.Network;

/// <summary>Finds the host's CNI configuration, or writes one of our own when the host has none.</summary>
internal sealed class CniConfigurationSource(PodNetworkOptions options)
{
    /// <summary>Where our own configuration is kept: not in the host's folder, where other runtimes would take it up.</summary>
    public string OwnPath => Path.Combine(options.StateDirectory, "net.d", "10-vks.conflist");

    /// <summary>The configuration that pods get now. A host configuration that appears later is taken from then on.</summary>
    /// <exception cref="FormatException">The first file by name cannot be used.</exception>
    public async Task<CniConfiguration> LoadAsync(CancellationToken cancellationToken)
    {
        if (FindHostPath() is { } path)
        {
            return CniConfiguration.Parse(await File.ReadAllTextAsync(path, cancellationToken), path);
        }

        string text = DefaultCniConfiguration.Build(options, type => options.PluginDirectories.Any(directory => File.Exists(Path.Combine(directory, type))));
        string? present = File.Exists(OwnPath) ? await File.ReadAllTextAsync(OwnPath, cancellationToken) : null;
        if (present != text)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(OwnPath)!);
            string draft = $"{OwnPath}.{Guid.NewGuid():N}";
            await File.WriteAllTextAsync(draft, text, cancellationToken);
            File.Move(draft, OwnPath, overwrite: true);
        }

        return CniConfiguration.Parse(text, OwnPath);
    }

    /// <summary>The host's first configuration by name, or null.</summary>
    public string? FindHostPath() => Directory.Exists(options.ConfigDirectory)
        ? Directory.EnumerateFiles(options.ConfigDirectory)
            .Where(static path => Path.GetExtension(path) is ".conflist" or ".conf" or ".json")
            .Order(StringComparer.Ordinal)
            .FirstOrDefault()
        : null;
}
