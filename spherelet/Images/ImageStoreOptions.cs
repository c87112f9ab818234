namespace Vks.Spherelet.Images;

/// <summary>Where and how images are kept.</summary>
internal sealed record ImageStoreOptions
{
    /// <summary>The store's directory; pulls, blobs and disks need one file system. Default <c>/var/lib/vks/images</c>.</summary>
    public string Directory { get; init; } = "/var/lib/vks/images";

    /// <summary>Where credentials wait for the registry tool, 0600, for as long as it runs; best a tmpfs. Default <c>/run/vks</c>.</summary>
    public string RuntimeDirectory { get; init; } = "/run/vks";

    /// <summary>A registries.conf (mirrors, insecure and blocked registries) instead of the host's, or null. Drop-ins in <c>/etc/containers/registries.conf.d</c> hold in both cases.</summary>
    public string? RegistriesConf { get; init; }

    /// <summary>A policy.json (whose signatures are asked for) instead of the host's, or null.</summary>
    public string? SignaturePolicy { get; init; }

    /// <summary>A registries.d (where signatures are kept) instead of the host's <c>/etc/containers/registries.d</c>, or null.</summary>
    public string? SignatureDirectory { get; init; }

    /// <summary>An auth.json with the host's own credentials for pulls without any, or null. Default: where the registry tool looks by itself.</summary>
    public string? AuthFile { get; init; }

    /// <summary>A certs.d with own CAs and client certificates, in a folder for each registry, beside <c>/etc/containers/certs.d</c> and <c>/etc/docker/certs.d</c>, or null.</summary>
    public string? CertificateDirectory { get; init; }

    /// <summary>Images that are never collected; see <see cref="PinnedImages"/>.</summary>
    public IReadOnlyList<string> Pinned { get; init; } = [];

    /// <summary>Pulls at the same time, 1 to 64; more wait. Default 3.</summary>
    public int ParallelPulls { get; init; } = 3;

    /// <summary>A pull of which nothing came for this long is ended; zero for never. Default 5 minutes.</summary>
    public TimeSpan ProgressTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time between two looks at how far a pull is, each a line in the log when it got on. Default 10 s.</summary>
    public TimeSpan ProgressPeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time for asking the registry for one manifest. Default 1 minute.</summary>
    public TimeSpan ManifestTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Most MiB of one unpacked layer. Default 65536.</summary>
    public long MaxLayerMiB { get; init; } = 64 << 10;
}
