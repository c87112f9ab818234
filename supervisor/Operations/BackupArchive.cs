using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Operations;

/// <summary>What a backup of a control plane says about itself; the first file in it.</summary>
/// <param name="Format">Version of the archive's form; 1.</param>
/// <param name="Cluster">The control plane's name.</param>
/// <param name="Member">The member it was taken from.</param>
/// <param name="TakenAt">When.</param>
/// <param name="EtcdVersion">Version of its etcd.</param>
/// <param name="Digests">SHA-256 of every other file by name, hex.</param>
internal sealed record BackupManifest(int Format, string Cluster, string Member, DateTimeOffset TakenAt, string EtcdVersion, IReadOnlyDictionary<string, string> Digests);

/// <summary>A backup as one file: a tar, compressed, with the copy of etcd, the authorities and the key of service accounts.</summary>
/// <remarks>Who has it has everything: its authorities' keys and all secrets. Only its owner may read it.</remarks>
internal static class BackupArchive
{
    /// <summary>The copy of etcd in it.</summary>
    public const string Snapshot = "etcd.snapshot";

    private const string Manifest = "manifest.json";
    private const int Format = 1;

    /// <summary>Writes one.</summary>
    /// <param name="file">Where to; it is there whole or not at all.</param>
    /// <param name="manifest">What it says about itself; digests are filled in.</param>
    /// <param name="files">Its files: name in the archive, and path.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task WriteAsync(string file, BackupManifest manifest, IReadOnlyDictionary<string, string> files, CancellationToken cancellationToken)
    {
        Dictionary<string, string> digests = new(StringComparer.Ordinal);
        foreach ((string name, string path) in files)
        {
            digests[name] = await DigestAsync(path, cancellationToken);
        }

        string beside = file + ".new";
        try
        {
            await using (FileStream stream = new(beside, new FileStreamOptions
            {
                Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                await using (GZipStream compressed = new(stream, CompressionLevel.Fastest, leaveOpen: true))
                await using (TarWriter tar = new(compressed, TarEntryFormat.Pax))
                {
                    using MemoryStream text = new(JsonSerializer.SerializeToUtf8Bytes(manifest with { Format = Format, Digests = digests }, BackupJson.Default.BackupManifest));
                    await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, Manifest) { DataStream = text }, cancellationToken);
                    foreach ((string name, string path) in files)
                    {
                        await tar.WriteEntryAsync(path, name, cancellationToken);
                    }
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, file, overwrite: true);
        }
        finally
        {
            File.Delete(beside);
        }
    }

    /// <summary>Unpacks one into a folder and checks every file of it.</summary>
    /// <param name="file">The archive.</param>
    /// <param name="folder">An empty folder.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: it is none, or is damaged.</exception>
    public static async Task<BackupManifest> ReadAsync(string file, string folder, CancellationToken cancellationToken)
    {
        PrivateFiles.MakeFolder(folder);
        try
        {
            await using FileStream stream = File.OpenRead(file);
            await using GZipStream plain = new(stream, CompressionMode.Decompress);
            await TarFile.ExtractToDirectoryAsync(plain, folder, overwriteFiles: false, cancellationToken);
            BackupManifest manifest = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(Path.Combine(folder, Manifest), cancellationToken), BackupJson.Default.BackupManifest)
                ?? throw new JsonException("the manifest is empty");
            if (manifest.Format != Format)
            {
                throw new SupervisorException(SupervisorFault.Settings, $"{file} is a backup of the form {manifest.Format}; this program knows {Format}. Do: restore with the version that made it");
            }

            foreach ((string name, string digest) in manifest.Digests)
            {
                if (await DigestAsync(Path.Combine(folder, name), cancellationToken) != digest)
                {
                    throw new SupervisorException(SupervisorFault.Settings, $"{file} is damaged: {name} in it is not what was put in. Do: take another backup");
                }
            }

            return manifest;
        }
        catch (Exception problem) when (problem is IOException or InvalidDataException or JsonException or UnauthorizedAccessException)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"{file} is no whole backup: {problem.Message}", problem);
        }
    }

    private static async Task<string> DigestAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream stream = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    }
}

/// <summary>The JSON of backups.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;
