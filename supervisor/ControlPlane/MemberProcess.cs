using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>The process of the member on this host, started and ended from outside.</summary>
/// <param name="settings">The member.</param>
/// <param name="time">The clock.</param>
internal sealed class MemberProcess(MemberSettings settings, TimeProvider time)
{
    private static readonly TimeSpan s_begin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(75);

    private readonly ProcessRecord _record = RecordOf(settings);
    private readonly LogFile _log = new(Path.Combine(settings.LogDirectory, "member.log"));

    /// <summary>Where a member writes its own process down.</summary>
    /// <param name="settings">The member.</param>
    public static ProcessRecord RecordOf(MemberSettings settings) => new(Path.Combine(settings.RunDirectory, "member.pid"));

    /// <summary>Its state, when it runs and has said something in this run; else null.</summary>
    public MemberState? State() =>
        _record.Find() is { } process && MemberState.Read(MemberState.PathIn(settings)) is { } state && state.ProcessId == process ? state : null;

    /// <summary>Starts it in a session of its own, and waits until it says something.</summary>
    /// <param name="settingsFile">Its settings file.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it ended, with its last words.</exception>
    public async Task StartAsync(string settingsFile, CancellationToken cancellationToken)
    {
        if (_record.Find() is not null)
        {
            return;
        }

        PrivateFiles.MakeFolder(settings.Directory);
        PrivateFiles.MakeFolder(settings.LogDirectory);
        _log.Trim(LogFile.MaxBytes);
        await Cli.Wrap("sh")
            .WithArguments(["-c", "setsid --fork \"$@\" </dev/null >>\"$0\" 2>&1", _log.Path, Environment.ProcessPath!, "member", "run", "--config", settingsFile])
            .ExecuteBufferedAsync(cancellationToken);
        long begin = time.GetTimestamp();
        while (State() is null)
        {
            if (time.GetElapsedTime(begin) > s_begin)
            {
                throw new SupervisorException(SupervisorFault.Host, $"member {settings.Name} said nothing within {s_begin.TotalSeconds:0} s of its start. Its last words ({_log.Path}):\n{_log.Tail(8)}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
        }
    }

    /// <summary>SIGTERM, and waits for the end.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Host"/>: it goes on.</exception>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_record.Find() is not { } process)
        {
            return;
        }

        await Cli.Wrap("kill").WithArguments(["-TERM", process.ToString(CultureInfo.InvariantCulture)]).WithValidation(CommandResultValidation.None).ExecuteAsync(cancellationToken);
        long begin = time.GetTimestamp();
        while (_record.Find() is not null)
        {
            if (time.GetElapsedTime(begin) > s_end)
            {
                throw new SupervisorException(SupervisorFault.Host, $"member {settings.Name} (process {process}) did not end within {s_end.TotalSeconds:0} s of SIGTERM. Do: look at {_log.Path}; kill -KILL {process} ends it and all its programs");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
        }
    }
}
