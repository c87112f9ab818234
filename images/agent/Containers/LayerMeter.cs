using Vks.Agent.Boot;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Measures one writable layer, which means a walk over all its files: the larger it is, the less often.</summary>
internal sealed class LayerMeter(string folder)
{
    /// <summary>A walk may take one part in so many of the time.</summary>
    private const int RestFactor = 20;

    /// <summary>The unit of st_blocks, stat(2).</summary>
    private const int BlockBytes = 512;

    /// <summary>How long a caller waits for a walk; after it he gets what the walk before has found.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);

    private readonly Lock _lock = new();
    private Task _walk = Task.CompletedTask;
    private LayerUsage? _found;
    private long _due;

    /// <summary>The latest measure; null when the first walk is not over.</summary>
    internal async Task<LayerUsage?> ReadAsync()
    {
        Task walk;
        lock (_lock)
        {
            if (_walk.IsCompleted && Clock.BootNanoseconds() >= _due)
            {
                _walk = Task.Run(Walk);
            }

            walk = _walk;
        }

        await Task.WhenAny(walk, Task.Delay(Patience, TimeProvider.System));
        return Volatile.Read(ref _found);
    }

    /// <summary>Counts what is there. Files may vanish meanwhile; what is gone counts nothing.</summary>
    internal static (long Bytes, long Inodes) Measure(string folder)
    {
        (long bytes, long inodes) = (0, 0);
        HashSet<ulong> linked = [];
        Stack<string> folders = new([folder]);
        while (folders.TryPop(out string? next))
        {
            foreach (string path in Entries(next))
            {
                if (FileStatus.TryRead(path, out Stat stat) && (stat.Links < 2 || FileStatus.IsFolder(stat) || linked.Add(stat.Inode)))
                {
                    inodes++;
                    bytes += stat.Blocks * BlockBytes;
                    if (FileStatus.IsFolder(stat))
                    {
                        folders.Push(path);
                    }
                }
            }
        }

        return (bytes, inodes);
    }

    private void Walk()
    {
        long begin = Clock.BootNanoseconds();
        (long bytes, long inodes) = Measure(folder);
        (long all, long free) = FileSystemStatus.Inodes(folder);
        Volatile.Write(ref _found, new LayerUsage(Clock.UnixNanoseconds(), bytes, inodes) { FileSystemInodes = all, FileSystemInodesFree = free });
        long end = Clock.BootNanoseconds();
        Volatile.Write(ref _due, end + ((end - begin) * RestFactor));
    }

    private static string[] Entries(string folder)
    {
        try
        {
            return Directory.GetFileSystemEntries(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
