using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Vks.Spherelet.Pods;

/// <summary>Pods and containers on disk: <c>pods/ID/pod.json</c>, <c>pods/ID/containers/CID.json</c> and <c>CID.log.json</c>.</summary>
/// <remarks>Each file is replaced whole by rename, so that a killed daemon leaves the old or the new one.</remarks>
internal sealed partial class PodStore(PodOptions options, ILogger<PodStore> logger)
{
    private readonly string _root = Path.Combine(options.RootDirectory, "pods");

    /// <summary>The pod's own directory.</summary>
    public string PodDirectory(string podId) => Path.Combine(_root, podId);

    /// <summary>The directory the guest sees over virtio-9p.</summary>
    public string ShareDirectory(string podId) => Path.Combine(_root, podId, "share");

    /// <summary>Where the pod's containers share host paths; the guest sees it as a directory of that name.</summary>
    public string ContainerShareDirectory(string podId, string containerId) => Path.Combine(ShareDirectory(podId), containerId);

    /// <summary>Holds, for each host path that containers of the pod share, a folder with a file for each of them.</summary>
    public string ShareUsersDirectory(string podId) => Path.Combine(_root, podId, "share-users");

    /// <summary>Keeps the pod.</summary>
    public void Save(PodRecord pod)
    {
        Directory.CreateDirectory(Path.Combine(PodDirectory(pod.Id), "containers"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Write(Path.Combine(PodDirectory(pod.Id), "pod.json"), pod, PodJson.Default.PodRecord);
    }

    /// <summary>Keeps the container.</summary>
    public void Save(ContainerRecord container) =>
        Write(ContainerFile(container.PodId, container.Id, ".json"), container, PodJson.Default.ContainerRecord);

    /// <summary>Keeps how much of the container's output its log holds.</summary>
    public void Save(string podId, string containerId, LogPosition position) =>
        Write(ContainerFile(podId, containerId, ".log.json"), position, PodJson.Default.LogPosition);

    /// <summary>How much of the container's output its log held when that was last kept, or null when the log was never opened.</summary>
    public LogPosition? LoadLogPosition(string podId, string containerId) =>
        Read(ContainerFile(podId, containerId, ".log.json"), PodJson.Default.LogPosition);

    /// <summary>Forgets the container.</summary>
    public void DeleteContainer(string podId, string containerId)
    {
        if (Directory.Exists(PodDirectory(podId)))
        {
            File.Delete(ContainerFile(podId, containerId, ".log.json"));
            File.Delete(ContainerFile(podId, containerId, ".json"));
        }
    }

    /// <summary>Forgets the pod and its containers. Nothing may be mounted below its directory any more.</summary>
    public void DeletePod(string podId)
    {
        if (Directory.Exists(PodDirectory(podId)))
        {
            // The record goes first: what is left without one is cleared away by the next start.
            File.Delete(Path.Combine(PodDirectory(podId), "pod.json"));
            Directory.Delete(PodDirectory(podId), recursive: true);
        }
    }

    /// <summary>Ids of all directories, also of those that hold no readable pod.</summary>
    public IReadOnlyList<string> ListPodIds() =>
        Directory.Exists(_root) ? [.. Directory.EnumerateDirectories(_root).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)] : [];

    /// <summary>The pod, or null when it was never written or cannot be read.</summary>
    public PodRecord? LoadPod(string podId) => Read(Path.Combine(PodDirectory(podId), "pod.json"), PodJson.Default.PodRecord);

    /// <summary>The pod's containers that can be read, oldest first.</summary>
    public IReadOnlyList<ContainerRecord> LoadContainers(string podId)
    {
        string directory = Path.Combine(PodDirectory(podId), "containers");
        if (!Directory.Exists(directory))
        {
            return [];
        }

        return
        [
            .. Directory.EnumerateFiles(directory, "*.json")
                .Where(path => !path.EndsWith(".log.json", StringComparison.Ordinal))
                .Select(path => Read(path, PodJson.Default.ContainerRecord))
                .OfType<ContainerRecord>()
                .OrderBy(container => container.CreatedUnixNanoseconds),
        ];
    }

    private string ContainerFile(string podId, string containerId, string suffix) =>
        Path.Combine(PodDirectory(podId), "containers", containerId + suffix);

    private static void Write<T>(string path, T value, JsonTypeInfo<T> type)
    {
        string draft = path + ".new";
        var onlyOwner = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.None,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var file = new FileStream(draft, onlyOwner))
        {
            JsonSerializer.Serialize(file, value, type);
        }

        File.Move(draft, path, overwrite: true);
    }

    private T? Read<T>(string path, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, type);
        }
        catch (Exception cause) when (cause is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException cause)
        {
            // Only a host crash can leave such a file, and then no machine of that time runs any more.
            FileIsUnreadable(path, cause);
            return null;
        }
    }

    [LoggerMessage(3101, LogLevel.Warning, "{Path} is not readable JSON and is treated as absent")]
    private partial void FileIsUnreadable(string path, Exception cause);
}
