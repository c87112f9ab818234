using System.Globalization;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Runs crun and turns its words into faults.</summary>
internal sealed class Crun(Reaper reaper)
{
    /// <summary>Where crun keeps what it knows of containers, a folder for each.</summary>
    internal const string StateRoot = "/run/crun";

    private const string Program = "/usr/bin/crun";

    /// <summary>Runs crun with given stdio; a detached container's or exec's process inherits it.</summary>
    /// <param name="log">File crun writes its errors to; removed afterwards.</param>
    /// <param name="arguments">Verb and what follows.</param>
    /// <param name="stdio">Descriptors 0, 1, 2.</param>
    /// <param name="tried">Start of the error's sentence.</param>
    /// <param name="cancellationToken">Kills crun; what it has started so far is the caller's to kill.</param>
    /// <exception cref="AgentException">CannotExecute, ResourceExhausted or Failed with crun's words.</exception>
    /// <exception cref="OperationCanceledException">crun was killed, or failed, after the token had fired.</exception>
    internal async Task RunAsync(
        string log, IReadOnlyList<string> arguments, (int In, int Out, int Error) stdio, string tried, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        (int pid, Task<ChildExit> exit) = reaper.Spawn(() => ChildProcess.Spawn(
            Program, ["crun", "--root", StateRoot, "--log", log, .. arguments], stdio.In, stdio.Out, stdio.Error));
        ChildExit ended;
        await using (cancellationToken.Register(() => reaper.Signal(pid, Constants.SigKill)))
        {
            ended = await exit;
        }

        try
        {
            if (ended.Code != 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                string words = Words(log);
                throw new AgentException(Classify(words), $"{tried}: crun ended with {ended.Code}: {(words.Length > 0 ? words : "it said nothing")}");
            }
        }
        finally
        {
            _ = Libc.Unlink(log);
        }
    }

    /// <summary>Runs crun with nothing attached.</summary>
    internal async Task RunAsync(string log, IReadOnlyList<string> arguments, string tried)
    {
        int nothing = Descriptors.Null();
        try
        {
            await RunAsync(log, arguments, (nothing, nothing, nothing), tried, CancellationToken.None);
        }
        finally
        {
            Descriptors.Close(nothing);
        }
    }

    /// <summary>Reads the pid crun wrote.</summary>
    internal static int ReadPid(string file)
    {
        int pid = int.Parse(File.ReadAllText(file).AsSpan().Trim(), CultureInfo.InvariantCulture);
        _ = Libc.Unlink(file);
        return pid;
    }

    private static string Words(string log) => File.Exists(log) ? File.ReadAllText(log).Trim() : "";

    /// <summary>Which fault crun's words mean. They differ between a lookup in PATH that failed and an execve that did.</summary>
    internal static GuestFault Classify(string words)
    {
        if (words.Contains("executable file", StringComparison.Ordinal)
            || words.Contains("exec ", StringComparison.Ordinal)
            || words.Contains("exec:", StringComparison.Ordinal)
            || words.Contains("open executable", StringComparison.Ordinal)
            || words.Contains("Exec format error", StringComparison.Ordinal))
        {
            return GuestFault.CannotExecute;
        }

        // What a caller asked for and cannot be: paths, limits that the kernel refuses, memory that not even the start fits in.
        if (words.Contains("Not a directory", StringComparison.Ordinal)
            || words.Contains("Is a directory", StringComparison.Ordinal)
            || words.Contains("open()ing /dev/", StringComparison.Ordinal) // something is mounted over the container's /dev
            || words.Contains("File name too long", StringComparison.Ordinal)
            || words.Contains("Too many levels of symbolic links", StringComparison.Ordinal)
            || words.Contains("memory limit could be too low", StringComparison.Ordinal)
            || (words.Contains("writing file", StringComparison.Ordinal) && words.EndsWith("Invalid argument", StringComparison.Ordinal)))
        {
            return GuestFault.InvalidRequest;
        }

        return words.Contains("No space left", StringComparison.Ordinal) || words.Contains("Cannot allocate memory", StringComparison.Ordinal)
            ? GuestFault.ResourceExhausted
            : GuestFault.Failed;
    }
}
