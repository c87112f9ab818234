using System.Diagnostics;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Tmds.Linux;
using Vks.Supervisor.ControlPlane;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>A program that is to run always.</summary>
public sealed class SupervisedProgramTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-").FullName;
    private readonly LaunchThread _launcher = new();
    private readonly CancellationTokenSource _stop = new();

    public SupervisedProgramTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "log"));
        Directory.CreateDirectory(Path.Combine(_folder, "run"));
    }

    [Fact]
    public async Task A_program_that_is_killed_runs_again_and_its_log_goes_on()
    {
        SupervisedProgram program = Program("echo started; exec sleep 1000");
        Task running = program.RunAsync(_stop.Token);
        await UntilAsync(() => program.IsRunning && program.Log.Tail(9).Length > 0, program);
        int first = program.State.ProcessId;

        Assert.Equal(0, LibC.kill(first, LibC.SIGKILL));
        await UntilAsync(() => program.State.ProcessId is var now && now != 0 && now != first && program.Log.Tail(9) == "started\nstarted", program);

        Assert.Equal((2, "ended by signal 9"), (program.State.Starts, program.State.LastEnd));
        await _stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.False(program.IsRunning);
        Assert.Empty(Directory.GetDirectories("/proc", first.ToString(CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task A_program_is_told_to_stop_by_SIGTERM_and_may_end_in_order()
    {
        SupervisedProgram program = Program("trap 'echo in order; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
        Task running = program.RunAsync(_stop.Token);
        await UntilAsync(() => program.Log.Tail(1) == "ready", program);

        await _stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(("ready\nin order", "ended with 0"), (program.Log.Tail(9), program.State.LastEnd));
    }

    [Fact]
    public async Task What_an_earlier_run_left_is_ended_before_the_program_is_started()
    {
        using Process leftOver = Process.GetProcessById(await LeaveBehindAsync());
        SupervisedProgram program = Program("exec sleep 1000");

        Task running = program.RunAsync(_stop.Token);
        await UntilAsync(() => program.IsRunning, program);

        await leftOver.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        Assert.NotEqual(leftOver.Id, program.State.ProcessId);
        await _stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_log_that_is_too_long_is_emptied_and_its_former_lines_are_beside_it()
    {
        LogFile log = new(Path.Combine(_folder, "log", "x.log"));
        File.WriteAllText(log.Path, "one\ntwo\nthree\n");

        log.Trim(maxBytes: 100);
        Assert.Equal("two\nthree", log.Tail(2));

        log.Trim(maxBytes: 5);
        Assert.Equal(("", "one\ntwo\nthree\n"), (log.Tail(2), File.ReadAllText(log.Path + ".1")));
    }

    public void Dispose()
    {
        _launcher.Dispose();
        _stop.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<int> LeaveBehindAsync()
    {
        CliWrap.CommandTask<CliWrap.CommandResult> command = CliWrap.Cli.Wrap("sleep").WithArguments(["1000"]).WithValidation(CliWrap.CommandResultValidation.None).ExecuteAsync();
        new ProcessRecord(Path.Combine(_folder, "run", "test.pid")).Write(command.ProcessId);
        await Task.Yield();
        return command.ProcessId;
    }

    private SupervisedProgram Program(string script) => new(
        new ProgramPlan("test", "/bin/sh", ["-c", script]),
        new MemberSettings
        {
            Cluster = "demo", Name = "a", Directory = _folder, Programs = "", Etcd = "", Size = MemberSize.Tiny, Link = "lo", Prefix = 24, Address = IPAddress.Loopback, FloatingAddress = null,
            Members = [], Join = false, Services = IPNetwork.Parse("10.96.0.0/16"), Pods = null, CertificateDays = 90, Audit = new AuditSettings(1, 1, 1), Oidc = null,
        },
        _launcher, TimeProvider.System, NullLogger<SupervisedProgram>.Instance);

    private static async Task UntilAsync(Func<bool> condition, SupervisedProgram program)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(20), $"it did not happen: {program.State}, log: {program.Log.Tail(9)}");
            await Task.Delay(20);
        }
    }
}
