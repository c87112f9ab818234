using System.Text.Json.Serialization;

namespace Vks.Spherelet.Images;

/// <summary>What the store remembers of an image.</summary>
internal sealed record ImageRecord
{
    /// <summary>The image id: digest of the config, <c>sha256:…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Digest of the manifest.</summary>
    public required string ManifestDigest { get; init; }

    /// <summary>Media type of the manifest: OCI's or docker's.</summary>
    public required string ManifestMediaType { get; init; }

    /// <summary>Bytes of the manifest.</summary>
    public required long ManifestBytes { get; init; }

    /// <summary>Tag references in full.</summary>
    public required IReadOnlyList<string> RepoTags { get; init; }

    /// <summary>Digest references in full, of manifests and of indexes.</summary>
    public required IReadOnlyList<string> RepoDigests { get; init; }

    /// <summary>The layers' blobs, lowest first.</summary>
    public required IReadOnlyList<string> Layers { get; init; }

    /// <summary>The layers' digests when unpacked, lowest first.</summary>
    public required IReadOnlyList<string> DiffIds { get; init; }

    /// <summary>How to run it.</summary>
    public required ImageRunConfig Config { get; init; }

    /// <summary>Bytes of layers and config in the registry's form.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>When it was last pulled.</summary>
    public required DateTimeOffset PulledAt { get; init; }

    /// <summary>When it was last seen in use by a container, or null for never; up to a look of the collector late.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>It has this name.</summary>
    public bool Has(ImageReference reference) => (reference.Digest is null ? RepoTags : RepoDigests).Contains(reference.ToString());

    /// <summary>Its names in a repository: tags and digests.</summary>
    /// <param name="repository">In full, <c>docker.io/library/busybox</c>.</param>
    public IEnumerable<string> NamesIn(string repository) => RepoTags.Concat(RepoDigests).Where(name =>
        name.StartsWith(repository, StringComparison.Ordinal) && name.AsSpan(repository.Length) is [':' or '@', ..] rest && !rest.Contains('/'));

    /// <summary>All blobs that the image needs; index blobs are not kept.</summary>
    [JsonIgnore]
    public IEnumerable<string> Blobs => [Id, ManifestDigest, .. Layers];

    /// <summary>Name of its disk.</summary>
    [JsonIgnore]
    public string ChainId => RootDisk.ChainId(DiffIds);

    /// <summary>What CRI calls image_ref.</summary>
    [JsonIgnore]
    public string ImageRef => RepoDigests.Count > 0 ? RepoDigests[0] : Id;
}
