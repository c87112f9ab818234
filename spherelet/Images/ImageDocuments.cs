using System.Text.Json.Serialization;

namespace Vks.Spherelet.Images;

/// <summary>A manifest or an index of OCI or docker (schema 2): all that is read of them. Unknown members are tolerated.</summary>
internal sealed record ManifestDocument
{
    /// <summary>Media type, which OCI manifests may leave out.</summary>
    public string? MediaType { get; init; }

    /// <summary>2.</summary>
    public int SchemaVersion { get; init; }

    /// <summary>A manifest's config.</summary>
    public DescriptorDocument? Config { get; init; }

    /// <summary>A manifest's layers, lowest first.</summary>
    public IReadOnlyList<DescriptorDocument>? Layers { get; init; }

    /// <summary>An index's manifests.</summary>
    public IReadOnlyList<DescriptorDocument>? Manifests { get; init; }

    /// <summary>It is docker's kind, which the registry tool converts instead of copying as it is.</summary>
    [JsonIgnore]
    public bool IsDocker => MediaType?.StartsWith("application/vnd.docker.", StringComparison.Ordinal) == true;
}

/// <summary>Points at a blob.</summary>
internal sealed record DescriptorDocument
{
    /// <summary>Media type.</summary>
    public string? MediaType { get; init; }

    /// <summary><c>sha256:…</c>.</summary>
    public string? Digest { get; init; }

    /// <summary>Bytes.</summary>
    public long Size { get; init; }

    /// <summary>What an index's manifest is for.</summary>
    public PlatformDocument? Platform { get; init; }

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
}

/// <summary>A platform.</summary>
/// <param name="Architecture"><c>amd64</c>.</param>
/// <param name="Os"><c>linux</c>.</param>
/// <param name="Variant"><c>v3</c>, for machines that have what it needs; mostly null.</param>
internal sealed record PlatformDocument(string? Architecture, string? Os, string? Variant);

/// <summary>An image config: all that is read of it.</summary>
internal sealed record ConfigDocument
{
    /// <summary><c>amd64</c>.</summary>
    public string? Architecture { get; init; }

    /// <summary><c>linux</c>.</summary>
    public string? Os { get; init; }

    /// <summary>How to run it.</summary>
    public ConfigRunDocument? Config { get; init; }

    /// <summary>Its layers.</summary>
    public ConfigRootfsDocument? Rootfs { get; init; }

    /// <summary>Both say the same of all that is read of them.</summary>
    public bool Says(ConfigDocument other) => (Architecture, Os) == (other.Architecture, other.Os)
        && (Rootfs?.DiffIds ?? []).SequenceEqual(other.Rootfs?.DiffIds ?? [])
        && RunsLike(Config ?? new ConfigRunDocument(), other.Config ?? new ConfigRunDocument());

    private static bool RunsLike(ConfigRunDocument one, ConfigRunDocument other) =>
        (one.WorkingDir ?? "", one.User ?? "", one.StopSignal ?? "") == (other.WorkingDir ?? "", other.User ?? "", other.StopSignal ?? "")
        && (one.Entrypoint ?? []).SequenceEqual(other.Entrypoint ?? [])
        && (one.Cmd ?? []).SequenceEqual(other.Cmd ?? [])
        && (one.Env ?? []).SequenceEqual(other.Env ?? []);
}

/// <summary>Digests of unpacked layers.</summary>
internal sealed record ConfigRootfsDocument
{
    /// <summary>Lowest first.</summary>
    [JsonPropertyName("diff_ids")]
    public IReadOnlyList<string>? DiffIds { get; init; }
}

/// <summary>How to run an image.</summary>
internal sealed record ConfigRunDocument
{
    /// <summary>Program and first arguments.</summary>
    [JsonPropertyName("Entrypoint")]
    public IReadOnlyList<string>? Entrypoint { get; init; }

    /// <summary>Default arguments.</summary>
    [JsonPropertyName("Cmd")]
    public IReadOnlyList<string>? Cmd { get; init; }

    /// <summary><c>NAME=value</c>.</summary>
    [JsonPropertyName("Env")]
    public IReadOnlyList<string>? Env { get; init; }

    /// <summary>Directory.</summary>
    [JsonPropertyName("WorkingDir")]
    public string? WorkingDir { get; init; }

    /// <summary>User.</summary>
    [JsonPropertyName("User")]
    public string? User { get; init; }

    /// <summary>Signal.</summary>
    [JsonPropertyName("StopSignal")]
    public string? StopSignal { get; init; }

    /// <summary>As domain values.</summary>
    public ImageRunConfig ToRunConfig() => new()
    {
        Entrypoint = Entrypoint ?? [],
        Cmd = Cmd ?? [],
        Env = Env ?? [],
        WorkingDir = WorkingDir ?? "",
        User = User ?? "",
        StopSignal = StopSignal ?? "",
    };
}

/// <summary>The store's own record of its images.</summary>
/// <param name="Version">1.</param>
/// <param name="Images">The images.</param>
internal sealed record CatalogDocument(int Version, IReadOnlyList<ImageRecord> Images);

/// <summary>JSON of registries and of the store.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 32)]
[JsonSerializable(typeof(ManifestDocument))]
[JsonSerializable(typeof(ConfigDocument))]
[JsonSerializable(typeof(CatalogDocument))]
[JsonSerializable(typeof(PartialPull))]
internal sealed partial class ImageJson : JsonSerializerContext;
