using System.Text;
using CliWrap;
using Tmds.Linux;

namespace Vks.Tests.Kit;

/// <summary>The Supervisor's program as a process group of its own, in a network namespace.</summary>
internal sealed class SupervisorProcess : IAsyncDisposable
{
    private readonly StringBuilder _log = new();
    private readonly CommandTask<CommandResult> _running;

    private SupervisorProcess(string space, IReadOnlyList<string> arguments) =>
        _running = Cli.Wrap("setsid").WithArguments(["ip", "netns", "exec", space, Binary, .. arguments])
            .WithValidation(CommandResultValidation.None).WithStandardOutputPipe(PipeTarget.ToDelegate(Append)).WithStandardErrorPipe(PipeTarget.ToDelegate(Append))
            .ExecuteAsync(CancellationToken.None, CancellationToken.None);

    /// <summary>The program under test: what the tests were built with, or the one VKS_SUPERVISOR names.</summary>
    public static string Binary => Environment.GetEnvironmentVariable("VKS_SUPERVISOR") ?? Path.Combine(AppContext.BaseDirectory, "supervisor");

    /// <summary>Its process, and its group.</summary>
    public int Pid => _running.ProcessId;

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => _running.Task.IsCompleted;

    /// <summary>What it has said.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    /// <summary>Starts it.</summary>
    public static SupervisorProcess Start(string space, params string[] arguments) => new(space, arguments);

    /// <summary>Runs it to its end, at most two minutes.</summary>
    public static Task<(int Exit, string Output)> RunAsync(string space, params string[] arguments) => RunAsync(TimeSpan.FromMinutes(2), space, arguments);

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int Exit, string Output)> RunAsync(TimeSpan limit, string space, params string[] arguments)
    {
        await using SupervisorProcess process = new(space, arguments);
        try
        {
            CommandResult result = await process._running.Task.WaitAsync(limit);
            return (result.ExitCode, process.Log);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"supervisor {string.Join(' ', arguments)} did not end within {limit.TotalSeconds:0} s:\n{process.Log}");
            throw;
        }
    }

    /// <summary>Sends a signal to the process alone, or with all that it started.</summary>
    public void Signal(int signal, bool group = false) => _ = LibC.kill(group ? -Pid : Pid, signal);

    /// <summary>SIGKILL for the process alone: what it started must end by itself.</summary>
    public async Task KillAsync()
    {
        Signal(LibC.SIGKILL);
        await _running.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    /// <summary>SIGTERM, and waits for the end, at most a minute.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync()
    {
        Signal(LibC.SIGTERM);
        try
        {
            return (await _running.Task.WaitAsync(TimeSpan.FromSeconds(60))).ExitCode;
        }
        catch (TimeoutException)
        {
            Assert.Fail($"supervisor did not end within a minute of SIGTERM:\n{Log}");
            return -1;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!HasEnded)
        {
            Signal(LibC.SIGCONT, group: true);
            Signal(LibC.SIGKILL, group: true);
            await _running.Task.WaitAsync(TimeSpan.FromSeconds(20));
        }
    }

    private void Append(string line)
    {
        lock (_log)
        {
            _log.AppendLine(line);
        }
    }
}
