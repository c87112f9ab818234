using System.Diagnostics;

namespace Vks.Bench.Sections;

/// <summary>Tells when a file gets its first byte: by inotify, not by looking again and again.</summary>
internal sealed class LogWatch : IDisposable
{
    private readonly TaskCompletionSource<long> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly FileSystemWatcher _watcher;

    /// <summary>Begins to watch.</summary>
    /// <param name="path">The file; it need not be there, its folder must.</param>
    public LogWatch(string path)
    {
        _watcher = new FileSystemWatcher(Path.GetDirectoryName(path)!, Path.GetFileName(path)) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size };
        _watcher.Changed += (_, _) => Look(path);
        _watcher.Created += (_, _) => Look(path);
        _watcher.EnableRaisingEvents = true;
    }

    /// <summary>The time stamp (<see cref="Stopwatch"/>) of the first byte.</summary>
    public Task<long> FirstByte => _first.Task;

    /// <inheritdoc/>
    public void Dispose() => _watcher.Dispose();

    private void Look(string path)
    {
        long now = Stopwatch.GetTimestamp();
        FileInfo file = new(path);
        if (file.Exists && file.Length > 0)
        {
            _first.TrySetResult(now);
        }
    }
}
