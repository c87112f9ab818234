using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Vks.Bench.Arms;

/// <summary>Writes images as OCI layouts, each with the one tag <see cref="Tag"/>.</summary>
internal static class OciLayout
{
    /// <summary>The tag of what is written.</summary>
    public const string Tag = "bench";

    /// <summary>An image of one program, as the sandbox image of a container runtime is one.</summary>
    /// <param name="directory">Folder of the layout; made.</param>
    /// <param name="program">The program; its only file, <c>/pause</c>, and its entry point.</param>
    public static void WriteProgram(string directory, byte[] program)
    {
        JsonObject config = new()
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Entrypoint"] = new JsonArray("/pause") },
        };
        Directory.CreateDirectory(Blobs(directory));
        Write(directory, config, [], [(Tar("pause", program, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.OtherExecute))]);
    }

    /// <summary>Another image with one more layer: a file of that size in <c>/data</c>, half of it compressible.</summary>
    /// <param name="source">Layout to start from; its first image is taken.</param>
    /// <param name="directory">Folder of the new layout; made.</param>
    /// <param name="megabytes">Size of the file in MiB.</param>
    public static void WriteWithData(string source, string directory, int megabytes)
    {
        Directory.CreateDirectory(Blobs(directory));
        JsonObject index = Read(Path.Combine(source, "index.json"));
        JsonObject manifest = Read(Path.Combine(Blobs(source), Hex((string)index["manifests"]![0]!["digest"]!)));
        JsonObject config = Read(Path.Combine(Blobs(source), Hex((string)manifest["config"]!["digest"]!)));
        foreach (JsonNode? layer in manifest["layers"]!.AsArray())
        {
            string hex = Hex((string)layer!["digest"]!);
            File.Copy(Path.Combine(Blobs(source), hex), Path.Combine(Blobs(directory), hex), overwrite: true);
        }

        byte[] data = new byte[megabytes * 1024 * 1024];
        Random bytes = new(Seed: 1);
        for (int block = 0; block < data.Length; block += 8192)
        {
            bytes.NextBytes(data.AsSpan(block, 4096));
        }

        Write(directory, config, [.. manifest["layers"]!.AsArray().Select(static layer => layer!.DeepClone())], [Tar("data", data, UnixFileMode.UserRead)]);
    }

    private static void Write(string directory, JsonObject config, List<JsonNode> layers, IEnumerable<byte[]> added)
    {
        JsonArray digests = config["rootfs"]?["diff_ids"]?.DeepClone().AsArray() ?? [];
        foreach (byte[] tar in added)
        {
            digests.Add((JsonNode)$"sha256:{Convert.ToHexStringLower(SHA256.HashData(tar))}");
            layers.Add(Store(directory, Gzip(tar), "application/vnd.oci.image.layer.v1.tar+gzip"));
        }

        config["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = digests };
        config.Remove("history");
        JsonObject manifest = new()
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
            ["config"] = Store(directory, Utf8(config), "application/vnd.oci.image.config.v1+json"),
            ["layers"] = new JsonArray([.. layers]),
        };
        JsonObject entry = Store(directory, Utf8(manifest), "application/vnd.oci.image.manifest.v1+json");
        entry["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = Tag };
        File.WriteAllBytes(Path.Combine(directory, "index.json"), Utf8(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(entry) }));
        File.WriteAllText(Path.Combine(directory, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
    }

    private static JsonObject Store(string directory, byte[] blob, string mediaType)
    {
        string hex = Convert.ToHexStringLower(SHA256.HashData(blob));
        File.WriteAllBytes(Path.Combine(Blobs(directory), hex), blob);
        return new JsonObject { ["mediaType"] = mediaType, ["digest"] = "sha256:" + hex, ["size"] = blob.Length };
    }

    private static byte[] Tar(string name, byte[] content, UnixFileMode mode)
    {
        using MemoryStream buffer = new();
        using (TarWriter writer = new(buffer, TarEntryFormat.Pax, leaveOpen: true))
        {
            using MemoryStream data = new(content);
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = data, Mode = mode, ModificationTime = DateTimeOffset.UnixEpoch });
        }

        return buffer.ToArray();
    }

    private static byte[] Gzip(byte[] tar)
    {
        using MemoryStream buffer = new();
        using (GZipStream packer = new(buffer, CompressionLevel.Fastest, leaveOpen: true))
        {
            packer.Write(tar);
        }

        return buffer.ToArray();
    }

    private static JsonObject Read(string path) => JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();

    private static byte[] Utf8(JsonObject document) => Encoding.UTF8.GetBytes(document.ToJsonString(JsonSerializerOptions.Web));

    private static string Blobs(string layout) => Path.Combine(layout, "blobs", "sha256");

    private static string Hex(string digest) => digest["sha256:".Length..];
}
