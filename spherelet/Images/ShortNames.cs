using System.Text.Json.Serialization;
using Tomlyn;
using Tomlyn.Serialization;

namespace Vks.Spherelet.Images;

/// <summary>
/// What a name without a registry may stand for: docker.io, as docker and containerd have it, unless registries.conf names registries to
/// look in, or has an alias for it; containers-registries.conf(5).
/// </summary>
/// <param name="registriesConf">A registries.conf instead of the host's, or null.</param>
/// <param name="dropIns">Files that come after it, in the order of their names.</param>
internal sealed class ShortNames(string? registriesConf, string dropIns = "/etc/containers/registries.conf.d")
{
    private const string HostFile = "/etc/containers/registries.conf";

    /// <summary>The names in full, in the order in which they are to be tried; one for a name that has a registry.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.InvalidReference"/>, or <see cref="ImageFault.BadSettings"/>: a file cannot be read.</exception>
    public IReadOnlyList<ImageReference> Read(string name)
    {
        ImageReference asDocker = ImageReference.Parse(name);
        if (ImageReference.HasRegistry(name))
        {
            return [asDocker];
        }

        (IReadOnlyList<string> registries, IReadOnlyDictionary<string, string> aliases) = Load(name);
        if (registries.Count == 0)
        {
            return [asDocker];
        }

        int end = name.AsSpan().IndexOfAny(':', '@');
        (string path, string rest) = end < 0 ? (name, "") : (name[..end], name[end..]);
        IEnumerable<string> names = aliases.TryGetValue(path, out string? alias) && alias.Length > 0
            ? [alias + rest]
            : registries.Select(registry => $"{registry}/{name}");
        return [.. names.Select(candidate => ImageReference.TryParse(candidate) is { } read && ImageReference.HasRegistry(candidate)
            ? read
            : throw Bad(name, $"they make '{candidate}' of it, which is no image name"))];
    }

    private (IReadOnlyList<string> Registries, IReadOnlyDictionary<string, string> Aliases) Load(string name)
    {
        IReadOnlyList<string> registries = [];
        Dictionary<string, string> aliases = new(StringComparer.Ordinal);
        foreach (string path in Files())
        {
            try
            {
                RegistriesDocument? document = TomlSerializer.Deserialize(File.ReadAllText(path), RegistriesToml.Default.RegistriesDocument);
                registries = document?.UnqualifiedSearchRegistries ?? registries;
                foreach ((string alias, string target) in document?.Aliases ?? [])
                {
                    aliases[alias] = target;
                }
            }
            catch (Exception e) when (e is TomlException or IOException or UnauthorizedAccessException)
            {
                throw Bad(name, $"{path} cannot be read: {e.Message}", e);
            }
        }

        return (registries, aliases);
    }

    private IEnumerable<string> Files()
    {
        IEnumerable<string> main = registriesConf is not null ? [registriesConf] : File.Exists(HostFile) ? [HostFile] : [];
        return Directory.Exists(dropIns) ? main.Concat(Directory.EnumerateFiles(dropIns, "*.conf").Order(StringComparer.Ordinal)) : main;
    }

    private static ImageException Bad(string name, string why, Exception? cause = null) => new(
        ImageFault.BadSettings, name, $"'{name}' names no registry, and the rules for such names are of no use: {why}. Mend registries.conf, or name a registry.", cause);
}

/// <summary>A registries.conf: all that is read of it here; the rest is the registry tool's.</summary>
internal sealed record RegistriesDocument
{
    /// <summary>Where to look for names without a registry.</summary>
    [JsonPropertyName("unqualified-search-registries")]
    public List<string>? UnqualifiedSearchRegistries { get; init; }

    /// <summary>Names in full by name without a registry.</summary>
    [JsonPropertyName("aliases")]
    public Dictionary<string, string>? Aliases { get; init; }
}

/// <summary>TOML of registries.</summary>
[TomlSerializable(typeof(RegistriesDocument))]
internal sealed partial class RegistriesToml : TomlSerializerContext;
