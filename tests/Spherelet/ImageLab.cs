using CliWrap;
using CliWrap.Buffered;
using Microsoft.Extensions.Logging;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>A real registry and a store with folders of its own, for one test.</summary>
internal sealed class ImageLab : IAsyncDisposable
{
    private readonly LineLog _lines = new();
    private readonly LoggerFactory _loggers;

    private ImageLab(Registry registry, string folder)
    {
        (Registry, Folder) = (registry, folder);
        _loggers = new LoggerFactory([_lines]);
        Options = new ImageStoreOptions { Directory = Path.Combine(folder, "images"), RuntimeDirectory = Path.Combine(folder, "run") };
        Directory.CreateDirectory(Options.RuntimeDirectory);
        Store = Open();
    }

    public Registry Registry { get; }

    public string Folder { get; }

    public ImageStoreOptions Options { get; set; }

    /// <summary>What the store said so far.</summary>
    public IReadOnlyList<string> LogLines => _lines.Lines;

    public ImageStore Store { get; private set; }

    public static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token;

    public static async Task<ImageLab> StartAsync(bool asksPassword = false, TokenService? tokens = null, TestAuthority? authority = null) =>
        new(await Registry.StartAsync(asksPassword, tokens, authority), Directory.CreateTempSubdirectory("vks-test-images-").FullName);

    /// <summary>A store on the same folder, as after a restart of the daemon.</summary>
    public ImageStore Reopen() => Store = Open();

    public Task<string> PullAsync(string name, RegistryCredentials? credentials = null, CancellationToken? cancellationToken = null) =>
        Store.PullAsync(new ImagePullRequest { Reference = $"{Registry.Host}/{name}", Credentials = credentials }, cancellationToken ?? Deadline);

    /// <summary>Pulls by a full name, whatever registry it names.</summary>
    public Task<string> PullByNameAsync(string reference, RegistryCredentials? credentials = null) =>
        Store.PullAsync(new ImagePullRequest { Reference = reference, Credentials = credentials }, Deadline);

    /// <summary>Writes a file beside the store, 0600.</summary>
    /// <returns>Its path.</returns>
    public string Write(string name, string content)
    {
        string path = Path.Combine(Folder, "settings", name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return path;
    }

    public async Task<ImageException> PullFailsAsync(string name, RegistryCredentials? credentials = null) =>
        await Assert.ThrowsAsync<ImageException>(() => PullAsync(name, credentials));

    /// <summary>Looks on while something runs, as any user of the host can.</summary>
    /// <returns>All command lines there were, and the mode of the files in the runtime directory.</returns>
    public async Task<(string CommandLines, UnixFileMode? Mode)> WatchAsync(Task work)
    {
        HashSet<string> seen = [];
        UnixFileMode? mode = null;
        while (!work.IsCompleted)
        {
            foreach (string entry in Directory.EnumerateDirectories("/proc"))
            {
                seen.Add(TryRead(entry, static path => File.ReadAllText(Path.Combine(path, "cmdline")).Replace('\0', ' ')) ?? "");
            }

            foreach (string file in Directory.EnumerateFiles(Options.RuntimeDirectory, "*.json", SearchOption.AllDirectories))
            {
                mode = TryRead(file, static path => (object)File.GetUnixFileMode(path)) as UnixFileMode? ?? mode;
            }

            await Task.Delay(1, Deadline);
        }

        return (string.Join('\n', seen), mode);
    }

    public string Blob(string digest) => Path.Combine(Options.Directory, "blobs", "sha256", digest["sha256:".Length..]);

    /// <summary>Names of all files of the store but the few that are always there.</summary>
    public string[] Leftovers() => [.. Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Folder, file))
        .Where(file => !file.StartsWith("settings/", StringComparison.Ordinal) && file is not ("images/images.json" or "images/index.json" or "images/oci-layout" or "images/policy.json"))
        .Order(StringComparer.Ordinal)];

    /// <summary>What is in a disk, read by another program than wrote it: <c>unsquashfs -lls</c>, without times.</summary>
    public static async Task<string[]> ListDiskAsync(string disk)
    {
        BufferedCommandResult result = await Cli.Wrap("unsquashfs").WithArguments(["-no-progress", "-lln", disk]).ExecuteBufferedAsync(Deadline);
        return [.. result.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.Contains("squashfs-root", StringComparison.Ordinal))];
    }

    /// <summary>Content of a file in a disk.</summary>
    public static async Task<string> ReadDiskAsync(string disk, string path) =>
        (await Cli.Wrap("rdsquashfs").WithArguments(["-c", path, disk]).ExecuteBufferedAsync(Deadline)).StandardOutput;

    public async ValueTask DisposeAsync()
    {
        Store.Dispose();
        _loggers.Dispose();
        await Registry.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private static T? TryRead<T>(string path, Func<string, T> read)
        where T : class
    {
        try
        {
            return read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended, or was removed.
            return null;
        }
    }

    private ImageStore Open() => ImageStore.Open(Options, TimeProvider.System, _loggers);
}
