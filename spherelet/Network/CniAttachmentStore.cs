using System.Text.Json;

namespace Vks.Spherelet.Network;

/// <summary>The attachments of this host, one file each, so that DEL works after a restart of the daemon.</summary>
internal sealed class CniAttachmentStore(string directory)
{
    private const string Attached = ".json";
    private const string Reserved = ".reserved";

    /// <summary>Notes that the pod has a namespace, or is about to, in which no plugin has been called.</summary>
    public void Reserve(string podId)
    {
        Directory.CreateDirectory(directory);
        File.Create(PathOf(podId, Reserved)).Dispose();
    }

    /// <summary>Whether that is all that is known of the pod.</summary>
    public bool IsReserved(string podId) => File.Exists(PathOf(podId, Reserved)) && !File.Exists(PathOf(podId));

    /// <summary>Writes the attachment whole or not at all.</summary>
    public async Task SaveAsync(CniAttachment attachment, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        string path = PathOf(attachment.PodId);
        string draft = path + ".new";
        await using (FileStream file = new(draft, FileMode.Create, FileAccess.Write))
        {
            await JsonSerializer.SerializeAsync(file, attachment, CniJson.Default.CniAttachment, cancellationToken);
            file.Flush(flushToDisk: false);
        }

        File.Move(draft, path, overwrite: true);
    }

    /// <summary>The pod's attachment, or null.</summary>
    /// <exception cref="JsonException">The file was damaged by another hand.</exception>
    public async Task<CniAttachment?> FindAsync(string podId, CancellationToken cancellationToken)
    {
        try
        {
            await using FileStream file = File.OpenRead(PathOf(podId));
            return await JsonSerializer.DeserializeAsync(file, CniJson.Default.CniAttachment, cancellationToken);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Whether the pod is in the store.</summary>
    public bool Contains(string podId) => File.Exists(PathOf(podId)) || File.Exists(PathOf(podId, Reserved));

    /// <summary>Forgets the pod. An unknown one is no error.</summary>
    public void Remove(string podId)
    {
        if (Directory.Exists(directory))
        {
            File.Delete(PathOf(podId));
            File.Delete(PathOf(podId) + ".new");
            File.Delete(PathOf(podId, Reserved));
        }
    }

    /// <summary>The ids of all pods in the store.</summary>
    public IReadOnlyList<string> List() => Directory.Exists(directory)
        ? [.. new[] { Attached, Reserved }.SelectMany(ending => Directory.EnumerateFiles(directory, "*" + ending)).Select(static path => Path.GetFileNameWithoutExtension(path)).Distinct()]
        : [];

    private string PathOf(string podId, string ending = Attached) => Path.Combine(directory, podId + ending);
}
