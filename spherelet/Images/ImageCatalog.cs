using System.Text.Json;

namespace Vks.Spherelet.Images;

/// <summary>All image records, and how names find them. Pure and immutable: a change makes a new catalog.</summary>
internal sealed class ImageCatalog
{
    private const int MinIdPrefix = 3;

    private ImageCatalog(IReadOnlyList<ImageRecord> images) => Images = images;

    /// <summary>No images.</summary>
    public static ImageCatalog Empty { get; } = new([]);

    /// <summary>The images, by id.</summary>
    public IReadOnlyList<ImageRecord> Images { get; }

    /// <summary>Finds an image by id, unambiguous start of an id (3 digits or more), tag reference or digest reference.</summary>
    /// <param name="name">The id or name.</param>
    /// <param name="read">What a name may stand for in full, the best first; throws when it cannot be a name.</param>
    /// <exception cref="ImageException"><see cref="ImageFault.InvalidReference"/>: neither an id nor a possible name.</exception>
    public ImageRecord? Find(string name, Func<string, IReadOnlyList<ImageReference>> read)
    {
        bool digest = BlobDigest.IsValid(name);
        string hex = digest ? BlobDigest.Hex(name) : name;
        if (digest || (hex.Length is >= MinIdPrefix and <= 64 && BlobDigest.IsHex(hex)))
        {
            ImageRecord[] matches = [.. Images.Where(image => image.Id.AsSpan("sha256:".Length).StartsWith(hex)).Take(2)];
            if (matches.Length == 1 || digest)
            {
                return matches.Length == 1 ? matches[0] : null;
            }
        }

        return read(name).Select(reference => Images.FirstOrDefault(image => image.Has(reference))).FirstOrDefault(static image => image is not null);
    }

    /// <summary>Finds the images that a filter means: as <see cref="Find"/>, and a name without tag and digest means every tag of it.</summary>
    public IReadOnlyList<ImageRecord> Match(string filter, Func<string, IReadOnlyList<ImageReference>> read)
    {
        try
        {
            if (ImageReference.TryParse(filter) is { Digest: null } reference && !reference.NamesTag(filter))
            {
                HashSet<string> repositories = [.. read(filter).Select(static candidate => candidate.Name)];
                ImageRecord[] images = [.. Images.Where(image => repositories.Any(repository => image.NamesIn(repository).Any()))];
                if (images.Length > 0)
                {
                    return images;
                }
            }

            return Find(filter, read) is { } image ? [image] : [];
        }
        catch (ImageException e) when (e.Fault == ImageFault.InvalidReference)
        {
            // Nothing has a name that cannot be.
            return [];
        }
    }

    /// <summary>Adds what a pull brought. Its names are added to an image with the same id, and a tag is taken from the image that had it.</summary>
    public ImageCatalog With(ImageRecord pulled)
    {
        List<ImageRecord> images = [];
        ImageRecord merged = pulled;
        foreach (ImageRecord image in Images)
        {
            if (image.Id == pulled.Id)
            {
                merged = pulled with
                {
                    RepoTags = [.. image.RepoTags.Union(pulled.RepoTags)],
                    RepoDigests = [.. image.RepoDigests.Union(pulled.RepoDigests)],
                    LastUsedAt = image.LastUsedAt,
                };
            }
            else
            {
                images.Add(image with { RepoTags = [.. image.RepoTags.Except(pulled.RepoTags)] });
            }
        }

        images.Add(merged);
        images.Sort((a, b) => string.CompareOrdinal(a.Id, b.Id));
        return new ImageCatalog(images);
    }

    /// <summary>With other times of last use.</summary>
    public ImageCatalog WithLastUsed(Func<ImageRecord, DateTimeOffset?> lastUsed) => new([.. Images.Select(image => image with { LastUsedAt = lastUsed(image) })]);

    /// <summary>Leaves out the images of those ids.</summary>
    public ImageCatalog Without(IReadOnlySet<string> ids) => new([.. Images.Where(image => !ids.Contains(image.Id))]);

    /// <summary>As JSON.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(new CatalogDocument(1, Images), ImageJson.Default.CatalogDocument);

    /// <summary>Reads JSON; null when it is not a catalog, or one with names that are not safe in paths.</summary>
    public static ImageCatalog? TryRead(ReadOnlySpan<byte> json)
    {
        try
        {
            CatalogDocument? document = JsonSerializer.Deserialize(json, ImageJson.Default.CatalogDocument);
            return document is { Version: 1, Images: { } images } && images.All(image => image.Blobs.Concat(image.DiffIds).All(BlobDigest.IsValid))
                ? new ImageCatalog(images)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
