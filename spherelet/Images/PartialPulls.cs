using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Images;

/// <summary>A pull that did not come to its end.</summary>
/// <param name="Reference">The image, in full.</param>
/// <param name="Blobs">Digests of all it needs; those that are here came whole.</param>
/// <param name="StartedAt">When it began.</param>
internal sealed record PartialPull(string Reference, IReadOnlyList<string> Blobs, DateTimeOffset StartedAt);

/// <summary>
/// Remembers what pulls under way need, so that the blobs that came whole outlive a lost registry, a caller that gave up and a killed daemon:
/// the next pull of the same image goes on from there.
/// </summary>
internal sealed class PartialPulls(ImageDirectory directory, TimeProvider time)
{
    /// <summary>How long they are kept. Whoever wants the image asks again long before.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(1);

    /// <summary>Remembers a pull; to be called before its first layer comes.</summary>
    public void Begin(ImageReference image, IEnumerable<string> blobs) => directory.WriteWhole(
        PathOf(image.ToString()),
        JsonSerializer.SerializeToUtf8Bytes(new PartialPull(image.ToString(), [.. blobs], time.GetUtcNow()), ImageJson.Default.PartialPull));

    /// <summary>Forgets a pull: it is done, or its blobs are of no use.</summary>
    /// <returns>There was one.</returns>
    public bool Forget(ImageReference image)
    {
        string path = PathOf(image.ToString());
        bool known = File.Exists(path);
        File.Delete(path);
        return known;
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        foreach (string path in Directory.EnumerateFiles(directory.PullsRoot))
        {
            File.Delete(path);
        }
    }

    /// <summary>The blobs to keep for them. Forgets those that are too old, or cannot be read.</summary>
    public IReadOnlySet<string> Blobs() => Read().SelectMany(static pull => pull.Blobs).ToHashSet(StringComparer.Ordinal);

    /// <summary>Those that are kept.</summary>
    public IReadOnlyList<PartialPull> Read()
    {
        List<PartialPull> pulls = [];
        foreach (string path in Directory.EnumerateFiles(directory.PullsRoot))
        {
            if (TryRead(path) is { } pull && time.GetUtcNow() - pull.StartedAt < Life)
            {
                pulls.Add(pull);
            }
            else
            {
                File.Delete(path);
            }
        }

        return pulls;
    }

    private static PartialPull? TryRead(string path)
    {
        try
        {
            PartialPull? pull = JsonSerializer.Deserialize(File.ReadAllBytes(path), ImageJson.Default.PartialPull);
            return pull is { Reference: not null, Blobs: { } blobs } && blobs.All(BlobDigest.IsValid) ? pull : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private string PathOf(string reference) =>
        Path.Combine(directory.PullsRoot, BlobDigest.Hex(BlobDigest.Of(Encoding.UTF8.GetBytes(reference))) + ".json");
}
