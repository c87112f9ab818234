namespace Vks.Spherelet.Images;

/// <summary>The images of this host: pulled through <see cref="RegistryClient"/>, kept in an <see cref="ImageDirectory"/>, found by <see cref="ImageCatalog"/>.</summary>
/// <remarks>
/// A pull adds blobs and a disk that nothing refers to, and at its end one write of the catalog makes them an image. So a crash at
/// any moment leaves whole blobs, which <see cref="PartialPulls"/> keeps for the next try, and what the next start sweeps away. Sweeping happens when no pull is under way, as pulls use blobs that they
/// find. A removed image's disk may still be plugged into machines: QEMU has the file open, and its space is freed with the last of them.
/// </remarks>
internal sealed partial class ImageStore : IImageStore, IDisposable
{
    private readonly ImageStoreOptions _options;
    private readonly ImageDirectory _directory;
    private readonly ImagePuller _puller;
    private readonly PartialPulls _partial;
    private readonly PinnedImages _pinned;
    private readonly ShortNames _names;
    private readonly TimeProvider _time;
    private readonly ILogger<ImageStore> _logger;
    private readonly SharedWork<(string Reference, RegistryCredentials? Credentials), string> _pulls = new();
    private readonly SharedWork<string, string> _disks = new();
    private readonly SemaphoreSlim _slots;
    private readonly Lock _lock = new();

    private ImageCatalog _catalog;
    private int _users;
    private bool _sweepWanted;

    private ImageStore(ImageStoreOptions options, ImageDirectory directory, ImageCatalog catalog, TimeProvider time, ILoggerFactory loggers)
    {
        (_options, _directory, _catalog, _time) = (options, directory, catalog, time);
        _logger = loggers.CreateLogger<ImageStore>();
        _partial = new PartialPulls(directory, time);
        _pinned = new PinnedImages(options.Pinned);
        _names = new ShortNames(options.RegistriesConf);
        RegistryClient registry = new(options, directory, time, loggers.CreateLogger<RegistryClient>());
        _puller = new ImagePuller(directory, registry, _partial, time, loggers.CreateLogger<ImagePuller>());
        _slots = new SemaphoreSlim(options.ParallelPulls);
    }

    /// <inheritdoc/>
    string IImageStore.Directory => _directory.Root;

    /// <summary>Opens a store, and removes what a crash left half made. One process may have it open.</summary>
    /// <exception cref="IOException">The directory cannot be used.</exception>
    public static ImageStore Open(ImageStoreOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        ImageDirectory directory = new(options.Directory);
        ILogger<ImageStore> logger = loggers.CreateLogger<ImageStore>();
        int killed = StaleTools.Kill(directory.TemporaryRoot);
        directory.ClearTemporary();
        string authFolder = RegistryAuthFile.Folder(options.RuntimeDirectory);
        if (Directory.Exists(authFolder))
        {
            Directory.Delete(authFolder, recursive: true);
        }

        ImageCatalog catalog = ReadCatalog(directory, logger);
        HashSet<string> broken = [.. catalog.Images.Where(image => !image.Blobs.All(blob => File.Exists(directory.Blob(blob)))).Select(image => image.Id)];
        foreach (string id in broken)
        {
            LogBroken(logger, id);
        }

        ImageStore store = new(options, directory, catalog.Without(broken), time, loggers);
        IReadOnlyList<PartialPull> partial = store._partial.Read();
        long freed = directory.Sweep(store._catalog.Images, store._partial.Blobs());
        store.Keep(store._catalog);
        LogOpened(logger, directory.Root, store._catalog.Images.Count, killed, freed);
        foreach (PartialPull pull in partial)
        {
            LogInterrupted(logger, pull.Reference, pull.Blobs.Distinct().Count(blob => File.Exists(directory.Blob(blob))), pull.Blobs.Distinct().Count());
        }

        return store;
    }

    /// <inheritdoc/>
    public async Task<string> PullAsync(ImagePullRequest request, CancellationToken cancellationToken)
    {
        IReadOnlyList<ImageReference> names = _names.Read(request.Reference);
        if (names.Count == 1 && (ImageReference.HasRegistry(request.Reference) || request.Credentials is null))
        {
            return await PullSharedAsync(names[0], request.Credentials, cancellationToken);
        }

        // Whoever gives credentials with a name that has no registry found them under docker.io's: the kubelet does.
        RegistryCredentials? credentials = request.Credentials is { Registry: "" } open ? open with { Registry = "docker.io" } : request.Credentials;
        List<ImageException> faults = [];
        foreach (ImageReference name in names)
        {
            try
            {
                return await PullSharedAsync(name, credentials, cancellationToken);
            }
            catch (ImageException e) when (e.Fault is ImageFault.NotFound or ImageFault.Unauthorized or ImageFault.RegistryUnavailable or ImageFault.Blocked)
            {
                faults.Add(e);
            }
        }

        throw faults.Count == 1 ? faults[0] : new ImageException(
            // The one that another try may mend, if there is one.
            (faults.Find(static fault => fault.Fault == ImageFault.RegistryUnavailable) ?? faults[^1]).Fault,
            request.Reference,
            string.Join(' ', faults.Select(static fault => fault.Message)),
            faults[^1]);
    }

    /// <inheritdoc/>
    public async Task<ContainerImage> ResolveAsync(string reference, CancellationToken cancellationToken)
    {
        using IDisposable use = Use();
        ImageRecord image = Volatile.Read(ref _catalog).Find(reference, _names.Read) ?? throw new ImageException(
            ImageFault.NotFound, reference, $"No image '{reference}' on this host. Pull it first.");
        try
        {
            _lastUsed[image.Id] = _time.GetUtcNow();
            string disk = await EnsureDiskAsync(image.Id, image, cancellationToken);
            return new ContainerImage { ImageId = image.Id, ImageRef = image.ImageRef, DiskPath = disk, Config = image.Config };
        }
        catch (LayerException e)
        {
            throw new ImageException(e.Fault, reference, $"The disk of {reference} is lost and cannot be made again: {e.Message} Remove the image and pull it again.", e);
        }
    }

    /// <inheritdoc/>
    public Task<ImageSummary?> FindAsync(string reference, CancellationToken cancellationToken) =>
        Task.FromResult(Volatile.Read(ref _catalog).Find(reference, _names.Read) is { } image ? Summarize(image, details: true) : null);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ImageSummary>> ListAsync(string filter, CancellationToken cancellationToken)
    {
        ImageCatalog catalog = Volatile.Read(ref _catalog);
        IReadOnlyList<ImageRecord> images = filter.Length == 0 ? catalog.Images : catalog.Match(filter, _names.Read);
        return Task.FromResult<IReadOnlyList<ImageSummary>>([.. images.Select(image => Summarize(image, details: false))]);
    }

    /// <inheritdoc/>
    public Task RemoveAsync(string reference, CancellationToken cancellationToken)
    {
        using IDisposable use = Use();
        lock (_lock)
        {
            foreach (ImageReference name in BlobDigest.IsValid(reference) ? [] : _names.Read(reference))
            {
                _sweepWanted |= _partial.Forget(name);
            }

            if (_catalog.Find(reference, _names.Read) is { } image)
            {
                Forget(image, _catalog.Without(new HashSet<string> { image.Id }));
                _sweepWanted = true;
                LogRemoved(reference, image.Id);
            }
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<ImageStoreUsage> GetUsageAsync(CancellationToken cancellationToken) => Task.Run(_directory.Measure, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _slots.Dispose();

    private static ImageCatalog ReadCatalog(ImageDirectory directory, ILogger logger)
    {
        if (!File.Exists(directory.CatalogPath))
        {
            return ImageCatalog.Empty;
        }

        ImageCatalog? catalog = ImageCatalog.TryRead(File.ReadAllBytes(directory.CatalogPath));
        if (catalog is null)
        {
            File.Move(directory.CatalogPath, directory.CatalogPath + ".unreadable", overwrite: true);
            LogCatalogUnreadable(logger, directory.CatalogPath);
        }

        return catalog ?? ImageCatalog.Empty;
    }

    private Task<string> EnsureDiskAsync(string name, ImageRecord image, CancellationToken cancellationToken)
    {
        string path = _directory.Disk(image.ChainId);
        if (File.Exists(path))
        {
            return Task.FromResult(path);
        }

        // One build for all who need the same layers.
        return _disks.RunAsync(
            path,
            async token =>
            {
                if (!File.Exists(path))
                {
                    long start = _time.GetTimestamp();
                    ImageLayer[] layers = [.. image.Layers.Zip(image.DiffIds, (blob, diffId) => new ImageLayer(blob, _directory.Blob(blob), diffId))];
                    await RootDisk.BuildAsync(name, layers, _directory.NewTemporary("disk"), path, _options.MaxLayerMiB << 20, token);
                    LogDiskBuilt(name, layers.Length, new FileInfo(path).Length >> 10, _time.GetElapsedTime(start).TotalSeconds);
                }

                return path;
            },
            cancellationToken);
    }

    /// <summary>Makes a catalog the current one; on disk first.</summary>
    private void Keep(ImageCatalog catalog)
    {
        _directory.WriteWhole(_directory.CatalogPath, catalog.ToJson());
        _directory.WriteLayout(catalog.Images);
        Volatile.Write(ref _catalog, catalog);
    }

    private void Forget(ImageRecord image, ImageCatalog without)
    {
        try
        {
            Keep(without);
        }
        catch (IOException e) when (StoreSpace.SaysFull(e))
        {
            // A full disk must not stand in the way of emptying it. A disk can be made again from its layers.
            File.Delete(_directory.Disk(image.ChainId));
            Keep(without);
        }
    }

    private ImageSummary Summarize(ImageRecord image, bool details)
    {
        FileInfo disk = new(_directory.Disk(image.ChainId));
        return new ImageSummary
        {
            ImageId = image.Id,
            RepoTags = image.RepoTags,
            RepoDigests = image.RepoDigests,
            SizeBytes = image.SizeBytes + (disk.Exists ? disk.Length : 0),
            User = image.Config.User,
            Pinned = _pinned.Has(image),
            Details = details ? new Dictionary<string, string> { ["info"] = ImageDetails.Of(image, _directory) } : [],
        };
    }

    /// <summary>While held, blobs and disks stay; with the last one, what nobody needs is swept.</summary>
    private Usage Use()
    {
        lock (_lock)
        {
            _users++;
            return new Usage(this);
        }
    }

    private void EndUse()
    {
        lock (_lock)
        {
            _users--;
            if (_users > 0 || !_sweepWanted)
            {
                return;
            }

            try
            {
                _sweepWanted = false;
                _directory.Sweep(_catalog.Images, _partial.Blobs());
            }
            catch (IOException e)
            {
                _sweepWanted = true;
                LogSweepFailed(e);
            }
        }
    }

    private sealed class Usage(ImageStore store) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                store.EndUse();
            }
        }
    }
}
