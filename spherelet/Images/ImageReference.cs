using System.Text.RegularExpressions;

namespace Vks.Spherelet.Images;

/// <summary>A registry image's name in full: registry, repository, and a tag or a digest.</summary>
/// <remarks>Short names are read as docker reads them: <c>busybox</c> is <c>docker.io/library/busybox:latest</c>.</remarks>
internal sealed partial record ImageReference
{
    private const int MaxLength = 4096;
    private const int MaxRepositoryLength = 255;
    private const string DefaultRegistry = "docker.io";

    private ImageReference(string registry, string path, string? tag, string? digest) =>
        (Registry, Path, Tag, Digest) = (registry, path, tag, digest);

    /// <summary>Host, with port where one was given: <c>docker.io</c>, <c>127.0.0.1:5000</c>.</summary>
    public string Registry { get; }

    /// <summary>Path within the registry: <c>library/busybox</c>.</summary>
    public string Path { get; }

    /// <summary>The tag; <c>latest</c> when neither tag nor digest was given, null when only a digest was.</summary>
    public string? Tag { get; }

    /// <summary>The manifest's digest, <c>sha256:…</c>, or null. It wins over the tag.</summary>
    public string? Digest { get; }

    /// <summary>Registry and path: <c>docker.io/library/busybox</c>.</summary>
    public string Name => $"{Registry}/{Path}";

    /// <summary>The registry is on this host, where plain HTTP is as good as any: as docker and containerd hold it.</summary>
    public bool IsLoopback => LoopbackHost().IsMatch(Registry);

    /// <summary>The tag reference in full, or null when a digest names the image.</summary>
    public string? TagReference => Digest is null ? $"{Name}:{Tag}" : null;

    /// <summary>The name in full: with the digest where there is one, else with the tag.</summary>
    public override string ToString() => Digest is null ? $"{Name}:{Tag}" : $"{Name}@{Digest}";

    /// <summary>A text that was read as this reference has a tag of its own, or means <c>latest</c> by silence.</summary>
    public bool NamesTag(string text) => Tag is not null && text.EndsWith(':' + Tag, StringComparison.Ordinal);

    /// <summary>The same repository, at a digest.</summary>
    public ImageReference AtDigest(string digest) => new(Registry, Path, tag: null, digest);

    /// <summary>A name begins with a registry: its first part has a dot or a port, or is <c>localhost</c>.</summary>
    public static bool HasRegistry(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        ReadOnlySpan<char> first = slash < 0 ? "" : text.AsSpan(0, slash);
        return first is "localhost" || first.IndexOfAny('.', ':') >= 0;
    }

    /// <summary>Reads a name; null when no image can have it.</summary>
    public static ImageReference? TryParse(string? text)
    {
        if (string.IsNullOrEmpty(text) || text.Length > MaxLength)
        {
            return null;
        }

        string rest = text;
        string? digest = null;
        int at = rest.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            (rest, digest) = (rest[..at], rest[(at + 1)..]);
            if (!BlobDigest.IsValid(digest))
            {
                return null;
            }
        }

        string? tag = null;
        int colon = rest.LastIndexOf(':');
        if (colon > rest.LastIndexOf('/'))
        {
            (rest, tag) = (rest[..colon], rest[(colon + 1)..]);
            if (!TagPattern().IsMatch(tag))
            {
                return null;
            }
        }

        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        bool named = HasRegistry(rest);
        string registry = named ? rest[..slash] : DefaultRegistry;
        string path = named ? rest[(slash + 1)..] : rest;
        if (registry == "index.docker.io")
        {
            registry = DefaultRegistry;
        }

        if (registry == DefaultRegistry && !path.Contains('/', StringComparison.Ordinal))
        {
            path = "library/" + path;
        }

        bool valid = RegistryPattern().IsMatch(registry) && PathPattern().IsMatch(path)
            && registry.Length + 1 + path.Length <= MaxRepositoryLength;
        return valid ? new ImageReference(registry, path, tag ?? (digest is null ? "latest" : null), digest) : null;
    }

    /// <summary>Reads a name.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.InvalidReference"/>.</exception>
    public static ImageReference Parse(string text) => TryParse(text) ?? throw new ImageException(
        ImageFault.InvalidReference,
        text,
        $"'{text}' is not an image name. Give [registry[:port]/]path[:tag][@sha256:digest], the path in lower case.");

    // The grammar of the distribution project's reference documentation.
    [GeneratedRegex(@"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex RegistryPattern();

    [GeneratedRegex(@"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PathPattern();

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TagPattern();

    [GeneratedRegex(@"^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex LoopbackHost();
}
