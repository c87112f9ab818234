using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Vks.Spherelet.Images;

/// <summary>The store's files. The directory is an OCI image layout with two folders more.</summary>
/// <remarks>
/// <code>
/// images.json        what the store has; replaced whole
/// oci-layout, index.json, blobs/sha256/HEX   the layout: other tools can read it
/// disks/CHAINID.sqfs the layers merged; shared by images with the same layers
/// pulls/             what pulls that did not end need
/// tmp/               half-made things; emptied at start
/// </code>
/// </remarks>
internal sealed class ImageDirectory
{
    /// <summary>Makes the folders that are missing.</summary>
    public ImageDirectory(string root)
    {
        Root = Path.GetFullPath(root);
        Directory.CreateDirectory(Root);
        Directory.CreateDirectory(Path.Combine(BlobsRoot, "sha256"));
        Directory.CreateDirectory(DisksRoot);
        Directory.CreateDirectory(PullsRoot);
        Directory.CreateDirectory(TemporaryRoot);
    }

    /// <summary>The store's directory.</summary>
    public string Root { get; }

    /// <summary>Shared blob directory, as the registry tool takes it.</summary>
    public string BlobsRoot => Path.Combine(Root, "blobs");

    /// <summary>Finished disks.</summary>
    public string DisksRoot => Path.Combine(Root, "disks");

    /// <summary>Pulls that did not end.</summary>
    public string PullsRoot => Path.Combine(Root, "pulls");

    /// <summary>Half-made things.</summary>
    public string TemporaryRoot => Path.Combine(Root, "tmp");

    /// <summary>The record of images.</summary>
    public string CatalogPath => Path.Combine(Root, "images.json");

    /// <summary>A blob's file. The digest must be valid.</summary>
    public string Blob(string digest) => Path.Combine(BlobsRoot, "sha256", BlobDigest.Hex(digest));

    /// <summary>A disk's file.</summary>
    public string Disk(string chainId) => Path.Combine(DisksRoot, chainId + RootDisk.Extension);

    /// <summary>A name in <see cref="TemporaryRoot"/> that nothing has.</summary>
    public string NewTemporary(string kind) => Path.Combine(TemporaryRoot, $"{kind}-{Guid.NewGuid():N}");

    /// <summary>Adds a small blob, whole or not at all.</summary>
    public void AddBlob(string digest, ReadOnlySpan<byte> content) => WriteWhole(Blob(digest), content);

    /// <summary>Replaces a file: the old content or the new one is there at any moment, also after a power cut.</summary>
    public void WriteWhole(string path, ReadOnlySpan<byte> content)
    {
        string temporary = NewTemporary("file");
        try
        {
            using (SafeFileHandle handle = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(handle, content, 0);
                RandomAccess.FlushToDisk(handle);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Removes all half-made things.</summary>
    public void ClearTemporary()
    {
        Directory.Delete(TemporaryRoot, recursive: true);
        Directory.CreateDirectory(TemporaryRoot);
    }

    /// <summary>Removes blobs and disks that none of the images needs.</summary>
    /// <param name="images">The images.</param>
    /// <param name="partial">Blobs of pulls that may be gone on with.</param>
    /// <returns>Bytes freed.</returns>
    public long Sweep(IReadOnlyCollection<ImageRecord> images, IReadOnlySet<string> partial)
    {
        HashSet<string> blobs = [.. images.SelectMany(image => image.Blobs).Concat(partial).Select(BlobDigest.Hex)];
        HashSet<string> disks = [.. images.Select(image => image.ChainId + RootDisk.Extension)];
        return DeleteAllBut(Path.Combine(BlobsRoot, "sha256"), blobs) + DeleteAllBut(DisksRoot, disks);
    }

    /// <summary>Writes the layout's marker and index.</summary>
    public void WriteLayout(IReadOnlyCollection<ImageRecord> images)
    {
        ManifestDocument index = new()
        {
            SchemaVersion = 2,
            MediaType = "application/vnd.oci.image.index.v1+json",
            Manifests = [.. images.OrderBy(image => image.Id, StringComparer.Ordinal).SelectMany(Descriptors)],
        };
        WriteWhole(Path.Combine(Root, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}"u8);
        WriteWhole(Path.Combine(Root, "index.json"), JsonSerializer.SerializeToUtf8Bytes(index, ImageJson.Default.ManifestDocument));
    }

    /// <summary>Bytes and inodes in use.</summary>
    public ImageStoreUsage Measure()
    {
        long bytes = 0;
        long inodes = 1;
        foreach (FileSystemInfo info in new DirectoryInfo(Root).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            inodes++;
            bytes += info is FileInfo { Exists: true } file ? file.Length : 0;
        }

        return new ImageStoreUsage(Root, bytes, inodes);
    }

    private static IEnumerable<DescriptorDocument> Descriptors(ImageRecord image)
    {
        return image.RepoTags.Cast<string?>().DefaultIfEmpty(null).Select(name => new DescriptorDocument
        {
            MediaType = image.ManifestMediaType,
            Digest = image.ManifestDigest,
            Size = image.ManifestBytes,
            Annotations = name is null ? null : new Dictionary<string, string> { ["org.opencontainers.image.ref.name"] = name },
        });
    }

    private static long DeleteAllBut(string directory, HashSet<string> names)
    {
        long freed = 0;
        foreach (FileInfo file in new DirectoryInfo(directory).EnumerateFiles())
        {
            if (!names.Contains(file.Name))
            {
                freed += file.Length;
                file.Delete();
            }
        }

        return freed;
    }
}
