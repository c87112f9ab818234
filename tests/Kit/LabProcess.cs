using System.Text;
using CliWrap;

namespace Vks.Tests.Kit;

/// <summary>A program that a lab runs in the background, with what it said.</summary>
internal sealed class LabProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    private readonly StringBuilder _log = new();
    private readonly CommandTask<CommandResult> _process;
    private readonly string _name;

    /// <summary>Starts a program.</summary>
    /// <param name="program">Its file.</param>
    /// <param name="arguments">Its arguments.</param>
    public LabProcess(string program, params IEnumerable<string> arguments)
    {
        _name = Path.GetFileName(program);
        PipeTarget log = PipeTarget.ToDelegate(line =>
        {
            lock (_log)
            {
                _log.AppendLine(line);
            }
        });

        // From the root, as a service is run.
        _process = Cli.Wrap(program).WithArguments(arguments).WithWorkingDirectory("/").WithStandardOutputPipe(log).WithStandardErrorPipe(log)
            .WithValidation(CommandResultValidation.None).ExecuteAsync();
    }

    /// <summary>Its process.</summary>
    public int Pid => _process.ProcessId;

    /// <summary>It has ended.</summary>
    public bool HasEnded => _process.Task.IsCompleted;

    /// <summary>All that it said.</summary>
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

    /// <summary>The end of what it said, for a test that fails.</summary>
    public string Tail(int lines = 25) => $"---- {_name}{(HasEnded ? " (ended)" : "")}\n{string.Join('\n', Log.Split('\n').TakeLast(lines))}\n";

    /// <summary>kill -9, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        _ = Tmds.Linux.LibC.kill(Pid, Tmds.Linux.LibC.SIGKILL);
        await _process.Task.WaitAsync(s_grace);
    }

    /// <summary>SIGTERM, and SIGKILL when that is not heeded, which fails the test.</summary>
    public async Task StopAsync()
    {
        if (HasEnded)
        {
            return;
        }

        _ = Tmds.Linux.LibC.kill(Pid, Tmds.Linux.LibC.SIGTERM);
        if (await Task.WhenAny(_process.Task, Task.Delay(s_grace)) != _process.Task)
        {
            await KillAsync();
            Assert.Fail($"{_name} did not end within {s_grace.TotalSeconds} s of SIGTERM:\n{Tail()}");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
    }
}
