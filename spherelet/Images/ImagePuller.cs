using System.Runtime.InteropServices;
using System.Text.Json;

namespace Vks.Spherelet.Images;

/// <summary>Brings one image into the store's blobs, each checked against its digest.</summary>
internal sealed partial class ImagePuller(
    ImageDirectory directory, RegistryClient registry, PartialPulls partial, TimeProvider time, ILogger<ImagePuller> logger)
{
    private const int MaxDocumentBytes = 8 << 20;
    private const string OciManifestType = "application/vnd.oci.image.manifest.v1+json";

    /// <summary>Architecture of the images that this host runs, in Go's words.</summary>
    public static string Architecture { get; } = RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
        System.Runtime.InteropServices.Architecture other => other.ToString(),
    };

    /// <summary>Fetches manifest, config and layers.</summary>
    /// <returns>The record to keep; nothing refers to the blobs before it is kept.</returns>
    /// <exception cref="ImageException">Why it could not be pulled.</exception>
    public async Task<ImageRecord> FetchAsync(ImageReference image, RegistryCredentials? credentials, CancellationToken cancellationToken)
    {
        byte[] top = await registry.GetManifestAsync(image, credentials, cancellationToken);
        string topDigest = BlobDigest.Of(top);
        if (image.Digest is not null && image.Digest != topDigest)
        {
            throw Fault(ImageFault.DigestMismatch, image, $"the registry answered with manifest {topDigest}");
        }

        ManifestDocument topDocument = ReadManifest(image, top);
        (byte[]? given, string digest) = topDocument.Manifests is null ? (top, topDigest) : (null, Choose(image, topDocument));
        ImageReference exact = image.AtDigest(digest);
        byte[] manifest = await EnsureAsync(exact, digest, given, () => registry.GetManifestAsync(exact, credentials, cancellationToken));
        ManifestDocument document = ReadManifest(image, manifest);
        if (document.Layers is null)
        {
            throw Fault(ImageFault.Corrupt, image, "its index names another index where a manifest should be");
        }

        if (document.IsDocker)
        {
            // Asked for by itself: the tool would store a converted config under another digest.
            string config = document.Config!.Digest!;
            CheckPlatform(image, ReadConfig(image, await EnsureAsync(exact, config, null, () => registry.GetConfigAsync(exact, credentials, cancellationToken))));
        }

        bool trusting = registry.AcceptsEverything;
        byte[]? copied = null;
        if (!trusting || MissingBlobs(document).Any())
        {
            Begin(image, exact, document);
            // A signature is made for a name: the policy is to see the one that was asked for, not only a digest.
            copied = await registry.CopyBlobsAsync(trusting ? exact : image, document.Layers, credentials, cancellationToken);
        }

        if (!trusting && BlobDigest.Of(copied) != digest && !await IsConversionAsync(image, copied!, manifest))
        {
            throw Fault(ImageFault.SignatureRejected, image, "the image whose signature was checked is not the one that its registry showed before; its tag has moved, so pull again");
        }

        return await CompleteAsync(image, exact, topDigest, manifest, document, credentials, cancellationToken);
    }

    private async Task<ImageRecord> CompleteAsync(
        ImageReference image,
        ImageReference exact,
        string topDigest,
        byte[] manifest,
        ManifestDocument document,
        RegistryCredentials? credentials,
        CancellationToken cancellationToken)
    {
        string id = document.Config!.Digest!;
        byte[] configBytes = await EnsureAsync(exact, id, null, () => registry.GetConfigAsync(exact, credentials, cancellationToken));
        ConfigDocument config = ReadConfig(image, configBytes);
        CheckPlatform(image, config);
        IReadOnlyList<string> diffIds = config.Rootfs?.DiffIds ?? [];
        if (diffIds.Count != document.Layers!.Count || !diffIds.All(BlobDigest.IsValid))
        {
            throw Fault(ImageFault.Corrupt, image, $"its manifest has {document.Layers.Count} layers, its config says {diffIds.Count}");
        }

        string[] missing = [.. MissingBlobs(document)];
        if (missing.Length > 0)
        {
            throw Fault(ImageFault.Corrupt, image, $"the copy went well, yet the layer {missing[0]} did not come");
        }

        return new ImageRecord
        {
            Id = id,
            ManifestDigest = exact.Digest!,
            ManifestMediaType = document.MediaType ?? OciManifestType,
            ManifestBytes = manifest.Length,
            RepoTags = image.TagReference is { } tag ? [tag] : [],
            RepoDigests = [image.AtDigest(topDigest).ToString(), .. topDigest == exact.Digest ? (string[])[] : [exact.ToString()]],
            Layers = [.. document.Layers.Select(layer => layer.Digest!)],
            DiffIds = diffIds,
            Config = (config.Config ?? new ConfigRunDocument()).ToRunConfig(),
            SizeBytes = configBytes.Length + document.Layers.Sum(layer => new FileInfo(directory.Blob(layer.Digest!)).Length),
            PulledAt = time.GetUtcNow(),
        };
    }

    /// <summary>The bytes of a small blob: those given, else those in the store, else those fetched; checked, and in the store afterwards.</summary>
    private async Task<byte[]> EnsureAsync(ImageReference image, string digest, byte[]? given, Func<Task<byte[]>> fetch)
    {
        string path = directory.Blob(digest);
        if (new FileInfo(path) is { Exists: true, Length: <= MaxDocumentBytes })
        {
            byte[] stored = await File.ReadAllBytesAsync(path, CancellationToken.None);
            if (BlobDigest.Of(stored) == digest)
            {
                return stored;
            }
        }

        byte[] content = given ?? await fetch();
        if (BlobDigest.Of(content) != digest)
        {
            throw Fault(ImageFault.DigestMismatch, image, $"{digest} was asked for, {BlobDigest.Of(content)} came");
        }

        directory.AddBlob(digest, content);
        return content;
    }

    /// <summary>The copy is the same image in OCI's form, which the tool gives to one of docker's kind: all that is used of it is equal.</summary>
    private async Task<bool> IsConversionAsync(ImageReference image, byte[] copied, byte[] manifest)
    {
        (ManifestDocument copy, ManifestDocument original) = (ReadManifest(image, copied), ReadManifest(image, manifest));
        if (copy.Layers?.Select(layer => layer.Digest).SequenceEqual(original.Layers!.Select(layer => layer.Digest)) != true)
        {
            return false;
        }

        ConfigDocument[] configs = await Task.WhenAll(new[] { copy, original }.Select(async document =>
            ReadConfig(image, await File.ReadAllBytesAsync(directory.Blob(document.Config!.Digest!)))));
        return configs[0].Says(configs[1]);
    }

    private IEnumerable<string> MissingBlobs(ManifestDocument manifest) =>
        manifest.Layers!.Select(layer => layer.Digest!).Where(digest => !File.Exists(directory.Blob(digest)));

    /// <summary>Remembers what is to come, and tells what is here of an earlier try.</summary>
    private void Begin(ImageReference image, ImageReference exact, ManifestDocument document)
    {
        int missing = MissingBlobs(document).Distinct().Count();
        int layers = document.Layers!.Select(layer => layer.Digest).Distinct().Count();
        partial.Begin(image, [exact.Digest!, document.Config!.Digest!, .. document.Layers!.Select(layer => layer.Digest!)]);
        LogCopying(image, layers, layers - missing, document.Layers!.DistinctBy(layer => layer.Digest).Sum(layer => layer.Size) >> 10);
    }

    private static string Choose(ImageReference image, ManifestDocument index)
    {
        // One for every machine of the architecture goes before one for newer ones only.
        DescriptorDocument? chosen = index.Manifests!
            .Where(entry => IsOurs(entry.Platform?.Os, entry.Platform?.Architecture))
            .OrderBy(entry => string.IsNullOrEmpty(entry.Platform!.Variant) ? 0 : 1)
            .FirstOrDefault();
        if (chosen is null)
        {
            IEnumerable<string> has = index.Manifests!
                .Where(entry => entry.Platform is not null)
                .Select(entry => $"{entry.Platform!.Os}/{entry.Platform.Architecture}")
                .Distinct();
            throw Fault(ImageFault.WrongPlatform, image, $"this host runs linux/{Architecture}, the image is for {string.Join(", ", has)}");
        }

        return BlobDigest.IsValid(chosen.Digest)
            ? chosen.Digest!
            : throw Fault(ImageFault.Corrupt, image, "its index has a manifest without a sha256 digest");
    }

    private static void CheckPlatform(ImageReference image, ConfigDocument config)
    {
        if (!IsOurs(config.Os, config.Architecture))
        {
            throw Fault(ImageFault.WrongPlatform, image, $"this host runs linux/{Architecture}, the image is for {config.Os}/{config.Architecture}");
        }
    }

    private static bool IsOurs(string? os, string? architecture) => os == "linux" && architecture == Architecture;

    private static ManifestDocument ReadManifest(ImageReference image, byte[] json)
    {
        ManifestDocument document = Read(image, json, ImageJson.Default.ManifestDocument, "manifest");
        bool index = document.Manifests is not null;
        bool complete = document is { SchemaVersion: 2, Config: not null, Layers: not null }
            && document.Layers.Append(document.Config).All(blob => BlobDigest.IsValid(blob.Digest));
        return index || complete
            ? document
            : throw Fault(ImageFault.Corrupt, image, $"its manifest (schema {document.SchemaVersion}, {document.MediaType ?? "no media type"}) is not one of docker schema 2 or OCI with sha256 digests");
    }

    private static ConfigDocument ReadConfig(ImageReference image, byte[] json) => Read(image, json, ImageJson.Default.ConfigDocument, "config");

    private static T Read<T>(ImageReference image, byte[] json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
    {
        try
        {
            return (json.Length <= MaxDocumentBytes ? JsonSerializer.Deserialize(json, type) : default)
                ?? throw Fault(ImageFault.Corrupt, image, $"its {what} is empty or larger than {MaxDocumentBytes >> 20} MiB");
        }
        catch (JsonException e)
        {
            throw new ImageException(ImageFault.Corrupt, image.ToString(), $"Could not pull {image}: its {what} is not valid JSON: {e.Message}", e);
        }
    }

    private static ImageException Fault(ImageFault fault, ImageReference image, string why) =>
        new(fault, image.ToString(), $"Could not pull {image}: {why}.");

    [LoggerMessage(3203, LogLevel.Information, "Pulling {Image}: {Layers} layers of {KiB} KiB, {Here} of them are here")]
    private partial void LogCopying(ImageReference image, int layers, int here, long kiB);
}
