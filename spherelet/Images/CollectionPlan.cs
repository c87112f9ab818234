namespace Vks.Spherelet.Images;

/// <summary>What is known of an image when it is decided which ones go.</summary>
/// <param name="Id">The image.</param>
/// <param name="LastUsed">When a container was last made of it or ran on it; the time of its pull before that.</param>
/// <param name="PulledAt">When it came.</param>
/// <param name="Kept">In use now, or pinned.</param>
/// <param name="Files">Its files by name, with their bytes; a file that two images name is one file.</param>
internal sealed record CollectionCandidate(
    string Id, DateTimeOffset LastUsed, DateTimeOffset PulledAt, bool Kept, IReadOnlyDictionary<string, long> Files);

/// <summary>How full the images' file system is.</summary>
/// <param name="TotalBytes">Its size.</param>
/// <param name="AvailableBytes">What may still be written.</param>
internal sealed record StoreFilling(long TotalBytes, long AvailableBytes)
{
    /// <summary>0 to 100, rounded up.</summary>
    public int UsedPercent => TotalBytes <= 0 ? 0 : (int)(100 - (Math.Clamp(AvailableBytes, 0, TotalBytes) * (Int128)100 / TotalBytes));
}

/// <summary>An image that is to go, and why.</summary>
/// <param name="Id">The image.</param>
/// <param name="Reason">For the log.</param>
/// <param name="FreedBytes">Bytes of files that no image needs once it and those before it are gone.</param>
internal sealed record Collected(string Id, string Reason, long FreedBytes);

/// <summary>Decides which images go. Pure.</summary>
internal static class CollectionPlan
{
    /// <summary>The images to remove, longest unused first.</summary>
    public static IReadOnlyList<Collected> Choose(
        IReadOnlyCollection<CollectionCandidate> images, StoreFilling filling, CollectionRules rules, DateTimeOffset now)
    {
        Dictionary<string, int> holders = [];
        foreach (string file in images.SelectMany(static image => image.Files.Keys))
        {
            holders[file] = holders.GetValueOrDefault(file) + 1;
        }

        bool full = rules.HighPercent > 0 && filling.UsedPercent >= rules.HighPercent;
        long excess = full ? (long)(filling.TotalBytes * (Int128)(100 - rules.LowPercent) / 100) - filling.AvailableBytes : 0;
        List<Collected> chosen = [];
        foreach (CollectionCandidate image in images.Where(image => !image.Kept).OrderBy(static image => image.LastUsed).ThenBy(static image => image.PulledAt))
        {
            TimeSpan idle = now - image.LastUsed;
            bool old = rules.MaxIdle > TimeSpan.Zero && idle > rules.MaxIdle;
            if (idle < rules.MinAge || now - image.PulledAt < rules.MinAge || (!old && excess <= 0))
            {
                continue;
            }

            long freed = 0;
            foreach ((string file, long bytes) in image.Files)
            {
                freed += --holders[file] == 0 ? bytes : 0;
            }

            excess -= freed;
            chosen.Add(new Collected(
                image.Id,
                old ? $"unused for {idle.TotalHours:0.#} h" : $"its file system is {filling.UsedPercent} % full, and it was unused for {idle.TotalHours:0.#} h",
                freed));
        }

        return chosen;
    }
}
