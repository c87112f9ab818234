using System.Globalization;
using CliWrap;

namespace Vks.Supervisor.ControlPlane;

/// <summary>The process of a program, written down so that it is found again; a number alone may be another's by now, so with the time of its start.</summary>
/// <param name="file">The file.</param>
internal sealed class ProcessRecord(string file)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Writes a process down.</summary>
    /// <param name="processId">Its number.</param>
    public void Write(int processId) => File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"{processId} {StartTicks(processId) ?? 0}\n"));

    /// <summary>The process that stands there, if it is still the same one; else null.</summary>
    public int? Find()
    {
        string[] parts;
        try
        {
            parts = File.ReadAllText(file).Split(' ', StringSplitOptions.TrimEntries);
        }
        catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        return parts.Length == 2 && int.TryParse(parts[0], CultureInfo.InvariantCulture, out int processId)
            && StartTicks(processId) is { } ticks && ticks.ToString(CultureInfo.InvariantCulture) == parts[1]
            ? processId
            : null;
    }

    /// <summary>Ends the process that stands there, if there is one, by SIGKILL, and waits until it is gone.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The process that was ended, or null.</returns>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it outlived SIGKILL.</exception>
    public async Task<int?> EndAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        if (Find() is not { } processId)
        {
            return null;
        }

        await Cli.Wrap("kill").WithArguments(["-KILL", processId.ToString(CultureInfo.InvariantCulture)]).WithValidation(CommandResultValidation.None).ExecuteAsync(cancellationToken);
        long begin = time.GetTimestamp();
        while (Find() is not null)
        {
            if (time.GetElapsedTime(begin) > s_patience)
            {
                throw new SupervisorException(SupervisorFault.Host, $"process {processId} of an earlier run ({file}) outlived SIGKILL by {s_patience.TotalSeconds:0} s; it hangs in the kernel. Do: look at /proc/{processId}/stack");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellationToken);
        }

        return processId;
    }

    /// <summary>Field 22 of proc(5)'s stat: the start, in ticks since boot; null when there is no such process, or only its exit code.</summary>
    private static long? StartTicks(int processId)
    {
        try
        {
            // The second field is the program's name in parentheses, which may hold anything.
            string[] fields = File.ReadAllText($"/proc/{processId}/stat").Split(") ", 2)[^1].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
