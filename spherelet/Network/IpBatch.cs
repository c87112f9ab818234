using CliWrap;
using Vks.Spherelet.Node;

namespace Vks.Spherelet.Network;

/// <summary>Runs iproute2's programs on a batch of commands.</summary>
internal static class IpBatch
{
    /// <summary>Runs <paramref name="program"/> with the commands on its standard input and returns what it prints.</summary>
    /// <exception cref="NetworkException"><see cref="NetworkFault.HostFailed"/>: a command failed; those before it have been done.</exception>
    public static async Task<string> RunAsync(
        string podId, string program, IReadOnlyList<string> options, IReadOnlyList<string> commands, CancellationToken cancellationToken)
    {
        Command command = Cli.Wrap(program)
            .WithArguments([.. options, "-batch", "-"])
            .WithStandardInputPipe(PipeSource.FromString(string.Join('\n', commands) + "\n"));
        HostToolResult ended = await HostTool.RunAsync(command, "iproute2", onLine: null, cancellationToken);
        return ended.ExitCode == 0
            ? ended.Text
            : throw new NetworkException(
                NetworkFault.HostFailed,
                podId,
                $"'{program} {string.Join(' ', options)}' with '{string.Join("; ", commands)}' failed for pod {podId}: {ended.Errors.ReplaceLineEndings(" ")}");
    }
}
