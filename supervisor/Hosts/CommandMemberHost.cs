using System.ComponentModel;
using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Hosts;

/// <summary>A host that is reached by a command that runs programs there: <c>ssh root@b</c>, <c>ip netns exec b</c>; or this one, by none. All that runs there is the host's own Supervisor program, so a shell in between has nothing to misread.</summary>
/// <param name="host">The host.</param>
/// <param name="supervisor">The Supervisor's program on it.</param>
/// <param name="time">The clock.</param>
internal sealed class CommandMemberHost(HostSettings host, string supervisor, TimeProvider time) : IMemberHost
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(90);

    /// <inheritdoc/>
    public async Task<AskedHost> AskAsync(HostQuestion question, CancellationToken cancellationToken)
    {
        DateTimeOffset begin = time.GetUtcNow();
        BufferedCommandResult result = await RunAsync(
            PipeSource.Null,
            [
                "host", "facts", "--link", question.Link, "--directory", question.Directory,
                .. question.Probe.SelectMany(static address => new[] { "--probe", address.ToString() }),
                .. question.Names.SelectMany(static name => new[] { "--name", name }),
                .. question.Programs.SelectMany(static program => new[] { "--program", program }),
                .. question.Versions.SelectMany(static program => new[] { "--version-of", program }),
            ],
            cancellationToken);
        try
        {
            return new AskedHost(HostFacts.From(result.StandardOutput), begin, time.GetUtcNow());
        }
        catch (JsonException problem)
        {
            throw new SupervisorException(SupervisorFault.Host, $"host {host.Name} gave no facts but '{result.StandardOutput.Trim()}'. Do: put the same version of {supervisor} there", problem);
        }
    }

    /// <inheritdoc/>
    public Task PutAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        RunAsync(PipeSource.FromBytes(bytes), ["host", "put", "--path", path], cancellationToken);

    /// <inheritdoc/>
    /// <remarks>By one command: each would be a connection of ssh's.</remarks>
    public Task PutAllAsync(IReadOnlyList<(string Path, ReadOnlyMemory<byte> Bytes)> files, CancellationToken cancellationToken) =>
        RunAsync(
            PipeSource.FromBytes(JsonSerializer.SerializeToUtf8Bytes([.. files.Select(static file => new FileToPut(file.Path, file.Bytes.ToArray()))], FileToPutJson.Default.FileToPutArray)),
            ["host", "put-all"], cancellationToken);

    /// <inheritdoc/>
    public Task StartAsync(string settingsFile, CancellationToken cancellationToken) => RunAsync(PipeSource.Null, ["member", "start", "--config", settingsFile], cancellationToken);

    /// <inheritdoc/>
    public Task StopAsync(string settingsFile, CancellationToken cancellationToken) => RunAsync(PipeSource.Null, ["member", "stop", "--config", settingsFile], cancellationToken);

    /// <inheritdoc/>
    public Task RemoveAsync(string settingsFile, CancellationToken cancellationToken) => RunAsync(PipeSource.Null, ["member", "remove", "--config", settingsFile], cancellationToken);

    /// <inheritdoc/>
    public async Task<MemberState?> StateAsync(string settingsFile, CancellationToken cancellationToken)
    {
        BufferedCommandResult result = await RunAsync(PipeSource.Null, ["member", "state", "--config", settingsFile], cancellationToken);
        return result.StandardOutput.Trim().Length == 0 ? null : JsonSerializer.Deserialize(result.StandardOutput, MemberStateJson.Default.MemberState);
    }

    private async Task<BufferedCommandResult> RunAsync(PipeSource input, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        string[] command = [.. host.Reach, supervisor, .. arguments];
        string tried = $"on host {host.Name}: {string.Join(' ', command.Take(host.Reach.Count + 3))}";
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            BufferedCommandResult result = await Cli.Wrap(command[0]).WithArguments(command[1..]).WithStandardInputPipe(input)
                .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
            return result.ExitCode == 0
                ? result
                : throw new SupervisorException(SupervisorFault.Host, $"{tried} ended with {result.ExitCode}: {result.StandardError.Trim()}");
        }
        catch (Win32Exception problem)
        {
            throw new SupervisorException(SupervisorFault.Host, $"{tried}: {problem.Message}. Do: check 'reach' of the host", problem);
        }
        catch (OperationCanceledException problem) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SupervisorException(SupervisorFault.Host, $"{tried}: no answer within {s_limit.TotalSeconds:0} s. Do: try the command by hand", problem);
        }
    }
}
