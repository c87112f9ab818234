namespace Vks.Spherelet.Images;

/// <summary>The images of this host, as the CRI image service asks for them.</summary>
internal interface IImageStore : IImageSource
{
    /// <summary>Where it keeps them.</summary>
    string Directory { get; }

    /// <summary>Pulls an image and makes its disk. Pulls of the same image at the same time are one pull.</summary>
    /// <returns>What the caller is to name the image by from now on: the image id.</returns>
    /// <param name="request">The image and who asks.</param>
    /// <param name="cancellationToken">Ends the waiting, and the pull when nobody else waits for it; nothing half made is left.</param>
    /// <exception cref="ImageException">Why it could not be pulled.</exception>
    Task<string> PullAsync(ImagePullRequest request, CancellationToken cancellationToken);

    /// <summary>The image of that name, or null. Names are read as in <see cref="IImageSource.ResolveAsync"/>.</summary>
    /// <exception cref="ImageException"><see cref="ImageFault.InvalidReference"/>.</exception>
    Task<ImageSummary?> FindAsync(string reference, CancellationToken cancellationToken);

    /// <summary>The images that a filter means.</summary>
    /// <param name="filter">Empty for all; a name without tag and digest for every tag of it; else as in <see cref="FindAsync"/>. What nothing can be named finds nothing.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<IReadOnlyList<ImageSummary>> ListAsync(string filter, CancellationToken cancellationToken);

    /// <summary>Removes the image with all its names, by whichever of them, and what no other image needs. An unknown image is no error.</summary>
    Task RemoveAsync(string reference, CancellationToken cancellationToken);

    /// <summary>Removes images by rules.</summary>
    /// <param name="rules">When and how many.</param>
    /// <param name="inUse">An image id is in use: it stays.</param>
    /// <param name="cancellationToken">Ends the work between two images.</param>
    /// <returns>What was removed.</returns>
    Task<IReadOnlyList<Collected>> CollectAsync(CollectionRules rules, Func<string, bool> inUse, CancellationToken cancellationToken);

    /// <summary>What the store takes of its file system.</summary>
    Task<ImageStoreUsage> GetUsageAsync(CancellationToken cancellationToken);
}

/// <summary>Asks for a pull.</summary>
internal sealed record ImagePullRequest
{
    /// <summary>Tag or digest reference.</summary>
    public required string Reference { get; init; }

    /// <summary>How to log in, or null for anonymously.</summary>
    public RegistryCredentials? Credentials { get; init; }
}

/// <summary>How to log in to a registry. Never logged.</summary>
internal sealed record RegistryCredentials
{
    /// <summary>User name, or empty.</summary>
    public string Username { get; init; } = "";

    /// <summary>Password, or empty.</summary>
    public string Password { get; init; } = "";

    /// <summary>OAuth refresh token, or empty.</summary>
    public string IdentityToken { get; init; } = "";

    /// <summary>Bearer token sent as it is, or empty.</summary>
    public string RegistryToken { get; init; } = "";

    /// <summary>The registry they are for, host and port, or empty for that of the image. Another registry never gets them.</summary>
    public string Registry { get; init; } = "";

    /// <summary>Tells nobody the secrets.</summary>
    public override string ToString() => "RegistryCredentials(…)";
}

/// <summary>One image as lists show it.</summary>
internal sealed record ImageSummary
{
    /// <summary><c>sha256:…</c>, digest of the config.</summary>
    public required string ImageId { get; init; }

    /// <summary>Tag references in full, <c>docker.io/library/busybox:latest</c>.</summary>
    public IReadOnlyList<string> RepoTags { get; init; } = [];

    /// <summary>Digest references in full.</summary>
    public IReadOnlyList<string> RepoDigests { get; init; } = [];

    /// <summary>Bytes on disk: compressed layers and disk image.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>The image's user, as <see cref="ImageRunConfig.User"/>.</summary>
    public string User { get; init; } = "";

    /// <summary>Never collected by the kubelet.</summary>
    public bool Pinned { get; init; }

    /// <summary>Facts for <c>crictl inspecti</c>, by name: JSON texts such as the image config.</summary>
    public IReadOnlyDictionary<string, string> Details { get; init; } = new Dictionary<string, string>();
}

/// <summary>What the store takes of its file system.</summary>
/// <param name="Directory">A directory on that file system.</param>
/// <param name="UsedBytes">Bytes in use by images.</param>
/// <param name="UsedInodes">Inodes in use by images.</param>
internal sealed record ImageStoreUsage(string Directory, long UsedBytes, long UsedInodes);
