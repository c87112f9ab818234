using System.Globalization;

namespace Vks.Runtime.Host;

/// <summary>When a process started, which together with its id names it for good.</summary>
internal static class ProcessStart
{
    /// <summary>Start time in clock ticks since the host booted (field 22 of /proc/PID/stat, proc(5)); null when there is no such process.</summary>
    internal static ulong? ReadTicks(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
        }
        catch (IOException)
        {
            return null;
        }

        // The name in field 2 may hold anything, also ')' and spaces; the last ')' ends it.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return ulong.Parse(fields[22 - 3], CultureInfo.InvariantCulture);
    }
}
