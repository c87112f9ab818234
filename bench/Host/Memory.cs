using System.Globalization;

namespace Vks.Bench.Host;

/// <summary>What memory and processor time are used, by the kernel's own account.</summary>
internal static class Memory
{
    /// <summary>MemAvailable of the host, MiB.</summary>
    public static double AvailableMiB() => ReadKiB("/proc/meminfo", "MemAvailable:") / 1024;

    /// <summary>Resident memory of processes, MiB; shared pages count in each.</summary>
    public static double ResidentMiB(IEnumerable<int> processes) => processes.Sum(static pid => ReadKiB($"/proc/{pid}/status", "VmRSS:")) / 1024;

    /// <summary>Proportional memory of processes, MiB; a page that n processes share counts 1/n in each.</summary>
    public static double ProportionalMiB(IEnumerable<int> processes) => processes.Sum(static pid => ReadKiB($"/proc/{pid}/smaps_rollup", "Pss:")) / 1024;

    /// <summary>Processor time a process has used, user and system.</summary>
    public static TimeSpan ProcessorTime(int pid)
    {
        try
        {
            // proc_pid_stat(5): utime and stime are fields 14 and 15, in ticks of 1/100 s.
            string[] fields = File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1].Split(' ');
            return TimeSpan.FromMilliseconds(10 * (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)));
        }
        catch (IOException)
        {
            return TimeSpan.Zero;
        }
    }

    /// <summary>A number in kB after a word at a line's start.</summary>
    /// <param name="text">Text of <c>/proc/meminfo</c> or a process's <c>status</c>.</param>
    /// <param name="word">The word with its colon.</param>
    /// <returns>0 when there is none.</returns>
    public static double ParseKiB(string text, string word)
    {
        string? line = text.Split('\n').FirstOrDefault(line => line.StartsWith(word, StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[word.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    private static double ReadKiB(string file, string word)
    {
        try
        {
            return ParseKiB(File.ReadAllText(file), word);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return 0; // The process has ended.
        }
    }
}
