using CliWrap;
using CliWrap.Buffered;

namespace Vks.Spherelet.Network;

/// <summary>Runs iproute2's programs on a batch of commands.</summary>
internal static class HostTool
{
    /// <summary>Runs <paramref name="program"/> with the commands on its standard input and returns what it prints.</summary>
    /// <exception cref="NetworkException"><see cref="NetworkFault.HostFailed"/>: a command failed; those before it have been done.</exception>
    public static async Task<string> BatchAsync(
        string podId, string program, IReadOnlyList<string> options, IReadOnlyList<string> commands, CancellationToken cancellationToken)
    {
        BufferedCommandResult ended;
        try
        {
            ended = await Cli.Wrap(program)
                .WithArguments([.. options, "-batch", "-"])
                .WithStandardInputPipe(PipeSource.FromString(string.Join('\n', commands) + "\n"))
                .WithValidation(CommandResultValidation.None)
                .ExecuteBufferedAsync(cancellationToken);
        }
        catch (System.ComponentModel.Win32Exception problem)
        {
            throw new NetworkException(
                NetworkFault.HostFailed, podId, $"'{program}' cannot be run: {problem.Message}. Install it (Debian: apt-get install iproute2).", problem);
        }

        return ended.ExitCode == 0
            ? ended.StandardOutput
            : throw new NetworkException(
                NetworkFault.HostFailed,
                podId,
                $"'{program} {string.Join(' ', options)}' with '{string.Join("; ", commands)}' failed for pod {podId}: {ended.StandardError.Trim().ReplaceLineEndings(" ")}");
    }
}
