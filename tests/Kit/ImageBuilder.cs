using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>How a layer's tar is packed.</summary>
internal enum LayerPacking
{
    Gzip,
    Zstd,
    Plain,
}

/// <summary>Builds small OCI images from tar layers, and pushes them to a registry with skopeo.</summary>
internal sealed class ImageBuilder
{
    private readonly List<(byte[] Blob, string DiffId, string MediaType)> _layers = [];

    /// <summary>The <c>config</c> object: Entrypoint, Cmd, Env, User and so on.</summary>
    public JsonObject RunConfig { get; } = new() { ["Env"] = new JsonArray("PATH=/bin") };

    /// <summary>Architecture in Go's words.</summary>
    public string Architecture { get; set; } = "amd64";

    /// <summary>Told instead of a layer's real digest when set.</summary>
    public string? ClaimedDiffId { get; set; }

    /// <summary>Digest of the config as last written: the image id.</summary>
    public string ImageId { get; private set; } = "";

    /// <summary>Digest of the manifest as last written.</summary>
    public string ManifestDigest { get; private set; } = "";

    /// <summary>Digests of the layers' blobs.</summary>
    public IReadOnlyList<string> LayerDigests => [.. _layers.Select(layer => Digest(layer.Blob))];

    /// <summary>Adds a layer from an archive.</summary>
    public ImageBuilder Layer(byte[] tar, LayerPacking packing = LayerPacking.Gzip)
    {
        (byte[] blob, string suffix) = packing switch
        {
            LayerPacking.Gzip => (Gzip(tar), "+gzip"),
            LayerPacking.Zstd => (new ZstdSharp.Compressor(3).Wrap(tar).ToArray(), "+zstd"),
            _ => (tar, ""),
        };
        _layers.Add((blob, Digest(tar), "application/vnd.oci.image.layer.v1.tar" + suffix));
        return this;
    }

    /// <summary>Adds a layer.</summary>
    public ImageBuilder Layer(ImageBuilderTar tar, LayerPacking packing = LayerPacking.Gzip) => Layer(tar.ToArray(), packing);

    /// <summary>Adds another image's layers.</summary>
    public ImageBuilder Layers(ImageBuilder other)
    {
        _layers.AddRange(other._layers);
        return this;
    }

    /// <summary>Adds a layer with one file of random bytes, for size.</summary>
    public ImageBuilder RandomLayer(string path, int bytes) =>
        Layer(new ImageBuilderTar().Add(new() { Kind = Vks.Spherelet.Images.TarEntryKind.File, Path = path, Mode = 0x1a4 }, RandomNumberGenerator.GetBytes(bytes)), LayerPacking.Gzip);

    /// <summary>Writes an OCI layout with this image.</summary>
    public void Write(string layout)
    {
        Directory.CreateDirectory(Path.Combine(layout, "blobs", "sha256"));
        JsonArray layers = [];
        JsonArray diffIds = [];
        foreach ((byte[] blob, string diffId, string mediaType) in _layers)
        {
            layers.Add(Descriptor(Put(layout, blob), blob.Length, mediaType));
            diffIds.Add(ClaimedDiffId ?? diffId);
        }

        JsonObject config = new()
        {
            ["architecture"] = Architecture,
            ["os"] = "linux",
            ["config"] = RunConfig.DeepClone(),
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = diffIds },
        };
        byte[] configBytes = Encoding.UTF8.GetBytes(config.ToJsonString());
        ImageId = Put(layout, configBytes);
        JsonObject manifest = new()
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
            ["config"] = Descriptor(ImageId, configBytes.Length, "application/vnd.oci.image.config.v1+json"),
            ["layers"] = layers,
        };
        byte[] manifestBytes = Encoding.UTF8.GetBytes(manifest.ToJsonString());
        ManifestDigest = Put(layout, manifestBytes);
        WriteIndex(layout, [Descriptor(ManifestDigest, manifestBytes.Length, "application/vnd.oci.image.manifest.v1+json")]);
    }

    /// <summary>Pushes the image as <c>registry/name</c>.</summary>
    /// <param name="reference">Full reference, <c>127.0.0.1:5000/a:1</c>.</param>
    /// <param name="extra">More skopeo arguments, as <c>--dest-creds u:p</c> or <c>--format v2s2</c>.</param>
    public async Task PushAsync(string reference, params string[] extra)
    {
        string layout = Directory.CreateTempSubdirectory("vks-test-layout-").FullName;
        try
        {
            Write(layout);
            await CopyAsync(layout, reference, ["--preserve-digests", .. extra]);
        }
        finally
        {
            Directory.Delete(layout, recursive: true);
        }
    }

    /// <summary>Pushes as docker schema 2, with a config of docker's making.</summary>
    public async Task PushAsDockerAsync(string reference)
    {
        string layout = Directory.CreateTempSubdirectory("vks-test-layout-").FullName;
        try
        {
            Write(layout);
            await CopyAsync(layout, reference, ["--format", "v2s2"]);
        }
        finally
        {
            Directory.Delete(layout, recursive: true);
        }
    }

    /// <summary>Pushes several images as one index.</summary>
    public static async Task PushIndexAsync(string reference, params ImageBuilder[] images)
    {
        string layout = Directory.CreateTempSubdirectory("vks-test-layout-").FullName;
        try
        {
            JsonArray entries = [];
            foreach (ImageBuilder image in images)
            {
                image.Write(layout);
                JsonObject entry = Descriptor(image.ManifestDigest, (int)new FileInfo(BlobPath(layout, image.ManifestDigest)).Length, "application/vnd.oci.image.manifest.v1+json");
                entry["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = image.Architecture };
                entries.Add(entry);
            }

            byte[] index = Encoding.UTF8.GetBytes(new JsonObject
            {
                ["schemaVersion"] = 2,
                ["mediaType"] = "application/vnd.oci.image.index.v1+json",
                ["manifests"] = entries,
            }.ToJsonString());
            WriteIndex(layout, [Descriptor(Put(layout, index), index.Length, "application/vnd.oci.image.index.v1+json")]);
            await CopyAsync(layout, reference, ["--all", "--preserve-digests"]);
        }
        finally
        {
            Directory.Delete(layout, recursive: true);
        }
    }

    /// <summary>Pushes what is no image: a manifest whose one layer is some bytes with an annotation.</summary>
    public static async Task PushArtifactAsync(string reference, string mediaType, byte[] content, (string Name, string Value) annotation)
    {
        string layout = Directory.CreateTempSubdirectory("vks-test-layout-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(layout, "blobs", "sha256"));
            byte[] config = "{}"u8.ToArray();
            JsonObject layer = Descriptor(Put(layout, content), content.Length, mediaType);
            layer["annotations"] = new JsonObject { [annotation.Name] = annotation.Value };
            byte[] manifest = Encoding.UTF8.GetBytes(new JsonObject
            {
                ["schemaVersion"] = 2,
                ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
                ["config"] = Descriptor(Put(layout, config), config.Length, "application/vnd.oci.image.config.v1+json"),
                ["layers"] = new JsonArray(layer),
            }.ToJsonString());
            WriteIndex(layout, [Descriptor(Put(layout, manifest), manifest.Length, "application/vnd.oci.image.manifest.v1+json")]);
            await CopyAsync(layout, reference, ["--preserve-digests"]);
        }
        finally
        {
            Directory.Delete(layout, recursive: true);
        }
    }

    /// <summary>The digest of bytes.</summary>
    public static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    private static async Task CopyAsync(string layout, string reference, string[] extra)
    {
        BufferedCommandResult result = await Cli.Wrap("skopeo")
            .WithArguments(["--insecure-policy", "copy", "--dest-tls-verify=false", .. extra, $"oci:{layout}", $"docker://{reference}"])
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(new CancellationTokenSource(TimeSpan.FromMinutes(1)).Token);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException($"Pushing {reference} failed: {result.StandardError}");
        }
    }

    private static string Put(string layout, byte[] content)
    {
        string digest = Digest(content);
        File.WriteAllBytes(BlobPath(layout, digest), content);
        return digest;
    }

    private static string BlobPath(string layout, string digest) => Path.Combine(layout, "blobs", "sha256", digest["sha256:".Length..]);

    private static void WriteIndex(string layout, JsonArray manifests)
    {
        File.WriteAllText(Path.Combine(layout, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
        File.WriteAllText(Path.Combine(layout, "index.json"), new JsonObject { ["schemaVersion"] = 2, ["manifests"] = manifests }.ToJsonString());
    }

    private static JsonObject Descriptor(string digest, int size, string mediaType) =>
        new() { ["mediaType"] = mediaType, ["digest"] = digest, ["size"] = size };

    private static byte[] Gzip(byte[] content)
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }
}
