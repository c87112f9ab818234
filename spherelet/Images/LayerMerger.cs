namespace Vks.Spherelet.Images;

/// <summary>A layer to merge.</summary>
/// <param name="Digest">The blob's digest, <c>sha256:…</c>, for messages.</param>
/// <param name="BlobPath">The blob: gzip, zstd or plain tar.</param>
/// <param name="DiffId">Digest of the unpacked tar, as the image config has it.</param>
internal sealed record ImageLayer(string Digest, string BlobPath, string DiffId);

/// <summary>A layer cannot be used. The inner exception says why.</summary>
internal sealed class LayerException(ImageLayer layer, ImageFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The layer.</summary>
    public ImageLayer Layer { get; } = layer;

    /// <summary>The kind of fault.</summary>
    public ImageFault Fault { get; } = fault;
}

/// <summary>Merges layers into one tar stream, in two passes over their blobs; nothing is unpacked on the host.</summary>
/// <remarks>The first pass reads headers, checks digests and finds out what is visible in the end. The second copies just that.</remarks>
internal static class LayerMerger
{
    /// <summary>Most entries of all layers together; each takes some 300 bytes of memory while merging.</summary>
    public const int MaxEntries = 4_000_000;

    private const int ScansAtOnce = 2;

    /// <summary>First pass.</summary>
    /// <param name="layers">Lowest first.</param>
    /// <param name="maxLayerBytes">Most bytes of one unpacked layer.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="LayerException">A layer is malformed, or is not what the image config says.</exception>
    public static async Task<MergedTarPlan> PlanAsync(IReadOnlyList<ImageLayer> layers, long maxLayerBytes, CancellationToken cancellationToken)
    {
        LayerTree[] trees = new LayerTree[layers.Count];
        int entries = 0;
        ParallelOptions options = new() { MaxDegreeOfParallelism = ScansAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, layers.Count, options, async (i, token) =>
            trees[i] = await GuardAsync(layers[i], () => ScanAsync(layers[i], i, maxLayerBytes, () => Interlocked.Increment(ref entries), token)));

        MergedTree merged = new();
        foreach (LayerTree tree in trees)
        {
            await GuardAsync(layers[tree.Layer], () =>
            {
                merged.Apply(tree);
                return Task.FromResult(true);
            });
        }

        return MergedTarPlan.Of(merged);
    }

    /// <summary>Second pass.</summary>
    /// <exception cref="LayerException">A layer changed since the first pass.</exception>
    public static async Task WriteAsync(MergedTarPlan plan, IReadOnlyList<ImageLayer> layers, Stream target, CancellationToken cancellationToken)
    {
        TarStreamWriter writer = new(target);
        foreach (TarEntry entry in plan.WithoutContent)
        {
            await writer.WriteHeaderAsync(entry, cancellationToken);
        }

        for (int i = 0; i < layers.Count; i++)
        {
            IReadOnlyDictionary<int, TarEntry> files = plan.FilesOf(i);
            if (files.Count > 0)
            {
                await GuardAsync(layers[i], async () =>
                {
                    await CopyFilesAsync(layers[i], files, writer, target, cancellationToken);
                    return true;
                });
            }
        }

        foreach (TarEntry entry in plan.HardLinks)
        {
            await writer.WriteHeaderAsync(entry, cancellationToken);
        }

        await writer.FinishAsync(cancellationToken);
    }

    private static async Task<LayerTree> ScanAsync(
        ImageLayer layer, int index, long maxLayerBytes, Func<int> countEntry, CancellationToken cancellationToken)
    {
        LayerTree tree = new(index);
        await using HashingStream hashing = new(await LayerStream.OpenAsync(layer.BlobPath, cancellationToken), maxLayerBytes);
        using TarStreamReader reader = new(hashing);
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            tree.Add(entry);
            if (countEntry() > MaxEntries)
            {
                throw new LayerFormatException($"The image has more than {MaxEntries} entries, the most that this host takes.");
            }
        }

        await reader.DrainAsync(cancellationToken);
        string diffId = hashing.FinishDigest();
        return diffId == layer.DiffId
            ? tree
            : throw new LayerException(layer, ImageFault.DigestMismatch, $"The layer {layer.Digest} unpacks to {diffId}, but the image config says {layer.DiffId}.");
    }

    private static async Task CopyFilesAsync(
        ImageLayer layer, IReadOnlyDictionary<int, TarEntry> files, TarStreamWriter writer, Stream target, CancellationToken cancellationToken)
    {
        using TarStreamReader reader = new(await LayerStream.OpenAsync(layer.BlobPath, cancellationToken));
        int left = files.Count;
        for (int ordinal = 0; left > 0; ordinal++)
        {
            TarEntry? found = await reader.NextAsync(cancellationToken);
            if (!files.TryGetValue(ordinal, out TarEntry? file))
            {
                if (found is null)
                {
                    throw new LayerFormatException("The layer became shorter while it was read.");
                }

                continue;
            }

            if (found?.Size != file.Size)
            {
                throw new LayerFormatException($"'{TarEntry.Show(file.Path)}' changed its size while the layer was read.");
            }

            await writer.WriteHeaderAsync(file, cancellationToken);
            await reader.CopyContentAsync(target, cancellationToken);
            await writer.PadAsync(file.Size, cancellationToken);
            left--;
        }
    }

    private static async Task<T> GuardAsync<T>(ImageLayer layer, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (LayerStream.IsFormatFault(e))
        {
            throw new LayerException(layer, ImageFault.Corrupt, $"The layer {layer.Digest} cannot be read: {e.Message}", e);
        }
    }
}
