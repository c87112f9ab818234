using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

internal sealed partial class ContainerService
{
    /// <summary>Most bytes of each stream an ExecSync answers with; the rest is read and dropped.</summary>
    public const int MaxExecBytes = 16 * 1024 * 1024;

    /// <summary>Runs a command in a running container and waits for its end.</summary>
    /// <param name="id">The container, or a beginning of its id.</param>
    /// <param name="command">Program and arguments.</param>
    /// <param name="timeout">When it is killed; zero for never.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <exception cref="PodException"><see cref="PodFault.TimedOut"/>, <see cref="PodFault.CannotExecute"/>, <see cref="PodFault.WrongState"/>.</exception>
    public async Task<ExecOutcome> ExecAsync(string id, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Container container = table.FindContainer(id);
        if (container.Record.Phase != ContainerPhase.Running)
        {
            throw new PodException(
                PodFault.WrongState, container.Id, $"Container {container.Id} is {container.Record.Phase}; a command needs a running one.");
        }

        try
        {
            await using GuestCall<ExecResult> call = await container.Sandbox.Guest.OpenAsync(
                GuestMethods.Exec,
                new ExecSpec
                {
                    ContainerId = container.Id,
                    ExecId = PodId.New(),
                    Args = command,
                    TimeoutMilliseconds = (long)Math.Min(timeout.TotalMilliseconds, long.MaxValue / 2),
                },
                GuestJson.Default.ExecSpec,
                GuestJson.Default.ExecResult,
                cancellationToken);
            Task<byte[]> output = CappedOutput.ReadAsync(call.Output, MaxExecBytes, cancellationToken);
            Task<byte[]> error = CappedOutput.ReadAsync(call.Error, MaxExecBytes, cancellationToken);
            await Task.WhenAll(output, error);
            ExecResult result = await call.Completion;
            return new ExecOutcome(result.ExitCode, await output, await error);
        }
        catch (GuestException cause) when (cause.Fault is GuestFault.TimedOut or GuestFault.CannotExecute)
        {
            throw new PodException(
                cause.Fault == GuestFault.TimedOut ? PodFault.TimedOut : PodFault.CannotExecute,
                container.Id,
                $"'{string.Join(' ', command)}' in container {container.Id}: {cause.Message}",
                cause);
        }
    }
}

/// <summary>How a command ended.</summary>
/// <param name="ExitCode">0 to 255; 128 + signal when a signal ended it.</param>
/// <param name="Output">Standard output, at most <see cref="ContainerService.MaxExecBytes"/>.</param>
/// <param name="Error">Standard error, at most <see cref="ContainerService.MaxExecBytes"/>.</param>
internal sealed record ExecOutcome(int ExitCode, byte[] Output, byte[] Error);
