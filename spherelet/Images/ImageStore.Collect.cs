using System.Collections.Concurrent;

namespace Vks.Spherelet.Images;

/// <content>Removal by rules.</content>
internal sealed partial class ImageStore
{
    /// <summary>Uses since the last look, which writes them into the record.</summary>
    private readonly ConcurrentDictionary<string, DateTimeOffset> _lastUsed = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Collected>> CollectAsync(CollectionRules rules, Func<string, bool> inUse, CancellationToken cancellationToken)
    {
        using IDisposable use = Use();
        DateTimeOffset now = _time.GetUtcNow();
        ImageCatalog catalog = RememberUse(inUse, now);
        StoreFilling filling = StoreSpace.Measure(_directory.Root);
        if (rules.HighPercent > 0 && filling.UsedPercent >= rules.HighPercent && _partial.Read().Count > 0 && _slots.CurrentCount == _options.ParallelPulls)
        {
            // What nobody may ever ask for again goes first; the sweep at the end of this use does it.
            _partial.Clear();
            _sweepWanted = true;
        }

        IReadOnlyList<Collected> chosen = await Task.Run(
            () => CollectionPlan.Choose([.. catalog.Images.Select(image => Candidate(image, inUse))], filling, rules, now), cancellationToken);
        List<Collected> removed = [];
        foreach (Collected choice in chosen)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_lock)
            {
                // A container may have come in the meantime.
                bool used = _lastUsed.TryGetValue(choice.Id, out DateTimeOffset last) && last > now;
                if (!used && _catalog.Images.FirstOrDefault(image => image.Id == choice.Id) is { } image)
                {
                    Forget(image, _catalog.Without(new HashSet<string> { image.Id }));
                    _sweepWanted = true;
                    removed.Add(choice);
                    LogCollected(image.RepoTags.Concat(image.RepoDigests).FirstOrDefault(image.Id), image.Id, choice.Reason, choice.FreedBytes >> 10);
                }
            }
        }

        return removed;
    }

    /// <summary>Writes down which images are in use now or were since the last look.</summary>
    private ImageCatalog RememberUse(Func<string, bool> inUse, DateTimeOffset now)
    {
        lock (_lock)
        {
            ImageCatalog catalog = _catalog.WithLastUsed(image =>
                inUse(image.Id) ? now : _lastUsed.TryGetValue(image.Id, out DateTimeOffset last) && last > image.LastUsedAt.GetValueOrDefault() ? last : image.LastUsedAt);
            if (!catalog.Images.SequenceEqual(_catalog.Images))
            {
                Keep(catalog);
            }

            return _catalog;
        }
    }

    private CollectionCandidate Candidate(ImageRecord image, Func<string, bool> inUse)
    {
        FileInfo[] files = [.. image.Blobs.Distinct().Select(_directory.Blob).Append(_directory.Disk(image.ChainId)).Select(path => new FileInfo(path))];
        return new CollectionCandidate(
            image.Id,
            image.LastUsedAt is { } used && used > image.PulledAt ? used : image.PulledAt,
            image.PulledAt,
            inUse(image.Id) || _pinned.Has(image),
            files.Where(file => file.Exists).ToDictionary(file => file.FullName, file => file.Length));
    }
}
