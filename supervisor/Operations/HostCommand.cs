using System.ComponentModel;
using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Supervisor.Operations;

/// <summary>Asks a host by a command that runs programs there: <c>ssh root@b</c>, <c>ip netns exec b</c>; or this one, by none.</summary>
/// <param name="host">What to call it.</param>
/// <param name="reach">The command; empty for this host.</param>
/// <param name="supervisor">The Supervisor's program on that host.</param>
/// <param name="time">The clock.</param>
internal sealed class HostCommand(string host, IReadOnlyList<string> reach, string supervisor, TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>Asks the host for its facts.</summary>
    /// <param name="question">What about.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it cannot be reached, or its Supervisor is another version.</exception>
    public async Task<AskedHost> AskAsync(HostQuestion question, CancellationToken cancellationToken)
    {
        string[] arguments =
        [
            .. reach, supervisor, "host", "facts", "--link", question.Link, "--directory", question.Directory,
            .. question.Probe.SelectMany(static address => new[] { "--probe", address.ToString() }),
            .. question.Names.SelectMany(static name => new[] { "--name", name }),
            .. question.Programs.SelectMany(static program => new[] { "--program", program }),
        ];
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        DateTimeOffset begin = time.GetUtcNow();
        try
        {
            BufferedCommandResult result = await Cli.Wrap(arguments[0]).WithArguments(arguments[1..]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
            return result.ExitCode == 0
                ? new AskedHost(HostFacts.From(result.StandardOutput), begin, time.GetUtcNow())
                : throw new SupervisorException(SupervisorFault.Host, $"asking host {host} by '{string.Join(' ', arguments)}' ended with {result.ExitCode}: {result.StandardError.Trim()}");
        }
        catch (Exception problem) when (problem is Win32Exception or JsonException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new SupervisorException(
                SupervisorFault.Host, $"asking host {host} by '{string.Join(' ', arguments)}': {(problem is OperationCanceledException ? $"no answer within {s_limit.TotalSeconds:0} s" : problem.Message)}", problem);
        }
    }
}
