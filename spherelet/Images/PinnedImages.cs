using System.IO.Enumeration;

namespace Vks.Spherelet.Images;

/// <summary>Images that nobody collects: neither this host nor the kubelet, which lists show them to as pinned.</summary>
/// <param name="patterns">Names, short ones as docker reads them, or names in full with <c>*</c> for anything.</param>
internal sealed class PinnedImages(IEnumerable<string> patterns)
{
    private readonly string[] _patterns = [.. patterns.Select(static pattern =>
        pattern.Contains('*', StringComparison.Ordinal) ? pattern : ImageReference.TryParse(pattern)?.ToString() ?? pattern)];

    /// <summary>The image is one of them, by any of its names.</summary>
    public bool Has(ImageRecord image) =>
        _patterns.Length > 0 && image.RepoTags.Concat(image.RepoDigests).Append(image.Id).Any(name =>
            Array.Exists(_patterns, pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false)));
}
