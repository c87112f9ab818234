using System.Buffers.Binary;
using System.Text;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Starts further processes in containers by the guest's own small program <c>enter</c>: the same end as <c>crun exec</c>, with a third of the work.</summary>
internal sealed class Entry(Reaper reaper)
{
    /// <summary>Its file in the guest.</summary>
    internal const string Program = "/usr/bin/enter";

    /// <summary>Starts a process with given stdio.</summary>
    /// <param name="container">Where; it runs.</param>
    /// <param name="process">What.</param>
    /// <param name="cgroup">The process's cgroup, which is there.</param>
    /// <param name="stdio">Descriptors 0, 1, 2.</param>
    /// <param name="tried">Start of an error's sentence.</param>
    /// <param name="cancellationToken">Kills <c>enter</c>; what it has started so far is the caller's to kill.</param>
    /// <returns>The process's exit; or null when only crun can start it.</returns>
    /// <exception cref="AgentException">The program could not be started, with the fault that <see cref="Crun.Classify"/> gives; or WrongState.</exception>
    /// <exception cref="OperationCanceledException"><c>enter</c> was killed, or failed, after the token had fired.</exception>
    internal async Task<Task<ChildExit>?> StartAsync(
        Container container, OciProcess process, string cgroup, (int In, int Out, int Error) stdio, string tried, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!container.Entrance.BySmallProgram)
        {
            return null;
        }

        int target = -1, reader = -1, writer = -1;
        try
        {
            target = reaper.Open(container.Report.Pid);
            if (target < 0)
            {
                throw new AgentException(GuestFault.WrongState, $"{tried}: the container has just ended.");
            }

            (reader, writer) = Descriptors.Pipe(nonBlocking: true);
            if (EntryArguments.Of(process, writer, target, cgroup, container.Entrance.FilterFile) is not { } arguments)
            {
                return null;
            }

            long since = reaper.Now;
            int report = writer, first = target;
            (int pid, Task<ChildExit> exit) = reaper.Spawn(() => ChildProcess.Spawn(Program, arguments, stdio.In, stdio.Out, stdio.Error, process.Env, report, first));
            ChildExit ended;
            await using (cancellationToken.Register(() => reaper.Signal(pid, Constants.SigKill)))
            {
                ended = await exit;
            }

            // All of it is in the pipe by now.
            var answer = new byte[4096 + 256];
            int length = Descriptors.ReadAvailable(reader, answer);
            if (ended.Code == 0 && length == sizeof(int))
            {
                return reaper.AdoptAsync(BinaryPrimitives.ReadInt32LittleEndian(answer), since);
            }

            cancellationToken.ThrowIfCancellationRequested();
            string words = Words(answer.AsSpan(0, length), ended);
            throw new AgentException(Crun.Classify(words), $"{tried}: {words}");
        }
        finally
        {
            Descriptors.Close(target, reader, writer);
        }
    }

    private static string Words(ReadOnlySpan<byte> answer, ChildExit ended) => answer.Length > sizeof(int)
        ? $"{Encoding.UTF8.GetString(answer[sizeof(int)..])}: {SystemError.Text(BinaryPrimitives.ReadInt32LittleEndian(answer))}"
        : $"{Program} ended with {ended.Code} and said nothing";
}
