using System.Globalization;
using Vks.Runtime.Host;

namespace Vks.Runtime.Machines;

/// <summary>What one machine's QEMU takes of the host, the guest's memory included. A figure that the host does not tell is 0.</summary>
public sealed record HostUsage
{
    /// <summary>Pages in memory, those shared with other processes counted whole.</summary>
    public long ResidentBytes { get; init; }

    /// <summary>Pages in memory, those shared with other processes counted in proportion: what the host would win at its end.</summary>
    public long ProportionalBytes { get; init; }

    /// <summary>Pages that nobody else has, those of files left out: what the machine itself costs, whoever shares its template.</summary>
    public long OwnBytes { get; init; }

    /// <summary>What the host's memory controller has on account of the machine, page cache included.</summary>
    public long GroupMemoryBytes { get; init; }

    /// <summary>CPU time so far: of the guest's CPUs and of QEMU.</summary>
    public TimeSpan CpuTime { get; init; }

    /// <summary>Threads of QEMU.</summary>
    public int Threads { get; init; }

    /// <summary>Reads /proc and the control group.</summary>
    /// <returns>Null when the process is gone.</returns>
    internal static HostUsage? Read(int pid, string cgroupName)
    {
        string process = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}");
        string memory = ReadText($"{process}/smaps_rollup");
        (TimeSpan cpuTime, int threads) = ParseStat(ReadText($"{process}/stat"));
        return threads == 0 ? null : new HostUsage
        {
            ResidentBytes = Kibibytes(memory, "Rss:") * 1024,
            ProportionalBytes = Kibibytes(memory, "Pss:") * 1024,
            OwnBytes = Kibibytes(memory, "Anonymous:") * 1024,
            GroupMemoryBytes = ReadGroup(cgroupName),
            CpuTime = cpuTime,
            Threads = threads,
        };
    }

    /// <summary>utime, stime and num_threads of proc(5); no threads when the text is not as expected.</summary>
    internal static (TimeSpan CpuTime, int Threads) ParseStat(string text)
    {
        // The name stands in parentheses and may hold some itself.
        string[] fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const int UserTime = 11;
        const int Threads = 17;

        // USER_HZ is 100 on every architecture that matters here.
        return fields.Length > Threads
            && long.TryParse(fields[UserTime], NumberStyles.None, CultureInfo.InvariantCulture, out long user)
            && long.TryParse(fields[UserTime + 1], NumberStyles.None, CultureInfo.InvariantCulture, out long system)
            && int.TryParse(fields[Threads], NumberStyles.None, CultureInfo.InvariantCulture, out int threads)
            ? (TimeSpan.FromMilliseconds((user + system) * 10), threads)
            : (TimeSpan.Zero, 0);
    }

    /// <summary>The number of a line <c>Name:   123 kB</c>, or 0.</summary>
    internal static long Kibibytes(string text, string name)
    {
        string? line = text.Split('\n').FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        return line is not null
            && long.TryParse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? value
            : 0;
    }

    private static long ReadGroup(string name)
    {
        foreach (string folder in Cgroup.Find(MachineFiles.CgroupParent, name).Folders)
        {
            // The one is of cgroup v2, the other of v1.
            foreach (string file in new[] { "memory.current", "memory.usage_in_bytes" })
            {
                if (long.TryParse(ReadText(Path.Combine(folder, file)).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
                {
                    return bytes;
                }
            }
        }

        return 0;
    }

    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Ended meanwhile, or a file this host does not have.
            return "";
        }
    }
}
