using System.Globalization;

namespace Vks.Bench.Host;

/// <summary>The host's processes at one moment.</summary>
internal sealed class ProcessTable
{
    private readonly List<ProcessEntry> _processes;

    private ProcessTable(List<ProcessEntry> processes) => _processes = processes;

    /// <summary>Reads <c>/proc</c>.</summary>
    public static ProcessTable Read()
    {
        List<ProcessEntry> found = [];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int pid))
            {
                continue;
            }

            try
            {
                // proc_pid_stat(5): the name is in brackets and may hold any character, so fields count from the last bracket.
                string[] fields = File.ReadAllText($"{folder}/stat").Split(") ")[^1].Split(' ');
                found.Add(new ProcessEntry(pid, int.Parse(fields[1], CultureInfo.InvariantCulture), File.ReadAllText($"{folder}/cmdline").Replace('\0', ' ')));
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }

        return new ProcessTable(found);
    }

    /// <summary>Ids of the processes that fit, without this one.</summary>
    public int[] Where(Func<ProcessEntry, bool> fits) => [.. _processes.Where(process => process.Pid != Environment.ProcessId && fits(process)).Select(static process => process.Pid)];

    /// <summary>The processes that fit, without this one.</summary>
    public IEnumerable<ProcessEntry> Entries(Func<ProcessEntry, bool> fits) => _processes.Where(process => process.Pid != Environment.ProcessId && fits(process));

    /// <summary>A process and all below it.</summary>
    public IEnumerable<int> WithDescendants(int pid) =>
        [pid, .. _processes.Where(process => process.ParentPid == pid).SelectMany(process => WithDescendants(process.Pid))];
}

/// <summary>One process.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="ParentPid">Its parent's id.</param>
/// <param name="CommandLine">Its arguments with spaces between; empty for kernel threads.</param>
internal sealed record ProcessEntry(int Pid, int ParentPid, string CommandLine);
