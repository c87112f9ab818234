namespace Vks.Spherelet.Images;

/// <summary>Turns the name of a pulled image into a disk and its settings; what pods need of the image store.</summary>
internal interface IImageSource
{
    /// <summary>Finds a pulled image.</summary>
    /// <param name="reference">An image id (<c>sha256:…</c> or its hex digits), a tag reference, or a digest reference; short names as docker reads them.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ImageException"><see cref="ImageFault.NotFound"/>: it has not been pulled. <see cref="ImageFault.InvalidReference"/>: no such name can be.</exception>
    Task<ContainerImage> ResolveAsync(string reference, CancellationToken cancellationToken);
}

/// <summary>A pulled image, ready to be plugged into machines.</summary>
internal sealed record ContainerImage
{
    /// <summary>Digest of the image's config, <c>sha256:…</c> with 64 hex digits.</summary>
    public required string ImageId { get; init; }

    /// <summary>What CRI calls image_ref: a repo digest where there is one, else <see cref="ImageId"/>.</summary>
    public required string ImageRef { get; init; }

    /// <summary>The read-only disk image on the host.</summary>
    public required string DiskPath { get; init; }

    /// <summary>The image's own settings.</summary>
    public required ImageRunConfig Config { get; init; }
}

/// <summary>The part of an OCI image config that says how to run it.</summary>
internal sealed record ImageRunConfig
{
    /// <summary>Program and first arguments.</summary>
    public IReadOnlyList<string> Entrypoint { get; init; } = [];

    /// <summary>Default arguments.</summary>
    public IReadOnlyList<string> Cmd { get; init; } = [];

    /// <summary><c>NAME=value</c> entries.</summary>
    public IReadOnlyList<string> Env { get; init; } = [];

    /// <summary>Absolute, or empty for the root.</summary>
    public string WorkingDir { get; init; } = "";

    /// <summary>User as the image gives it: empty, <c>name</c>, <c>uid</c>, <c>name:group</c>, <c>uid:gid</c>.</summary>
    public string User { get; init; } = "";

    /// <summary>Signal to stop with: <c>SIGQUIT</c>, <c>QUIT</c>, <c>3</c>, or empty for SIGTERM.</summary>
    public string StopSignal { get; init; } = "";
}
