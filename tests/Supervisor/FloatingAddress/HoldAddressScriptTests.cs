using System.Diagnostics;
using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Tmds.Linux;
using Vks.Supervisor.FloatingAddress;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.FloatingAddress;

/// <summary>The script that tells the kernel how long it has the address.</summary>
public sealed class HoldAddressScriptTests
{
    [Theory]
    [InlineData("-4", "10.9.9.9/32", 3.9, 2)]
    [InlineData("-4", "10.9.9.9/32", 2.1, 1)]
    [InlineData("-6", "fd00::9/128", 3.9, 2)]
    public async Task An_address_gets_no_more_time_than_is_left_less_the_alarm(string family, string address, double left, int seconds)
    {
        await using TestHosts hosts = await TestHosts.CreateAsync(1);

        BufferedCommandResult result = await RunAsync(hosts.Host(1), left, "ip", family, "address", "replace", address, "dev", TestHosts.Link);

        Assert.Equal((0, ""), (result.ExitCode, result.StandardError));
        string shown = await TestHosts.InAsync(hosts.Host(1), "ip", family, "-o", "address", "show", "dev", TestHosts.Link, "scope", "global");
        Assert.Contains($"valid_lft {seconds}sec", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_is_too_late_changes_nothing()
    {
        await using TestHosts hosts = await TestHosts.CreateAsync(1);

        BufferedCommandResult result = await RunAsync(hosts.Host(1), 1.9, "ip", "-4", "address", "replace", "10.9.9.9/32", "dev", TestHosts.Link);

        Assert.Equal(75, result.ExitCode);
        Assert.DoesNotContain("10.9.9.9", await TestHosts.InAsync(hosts.Host(1), "ip", "address"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_is_stopped_between_the_clock_and_the_kernel_never_gets_to_the_kernel()
    {
        string file = Path.GetTempFileName();
        File.Delete(file);
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(20));

        // Stands for ip: stopped at its begin, as SIGSTOP may stop it, and let go when it is too late.
        CommandTask<BufferedCommandResult> stopped = Prepare(30, "sh", "-c", $"kill -STOP $$; touch {file}").ExecuteBufferedAsync(deadline.Token);
        await UntilStoppedAsync(stopped.ProcessId);
        await Task.Delay(TimeSpan.FromSeconds(1.2), deadline.Token);
        _ = LibC.kill(stopped.ProcessId, LibC.SIGCONT);

        Assert.Equal(128 + LibC.SIGALRM, (await stopped).ExitCode);
        Assert.False(File.Exists(file));
    }

    private static async Task UntilStoppedAsync(int pid)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!(await File.ReadAllTextAsync($"/proc/{pid}/stat")).Contains(") T ", StringComparison.Ordinal))
        {
            Assert.True(Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(5), "the stand-in did not stop");
            await Task.Delay(10);
        }
    }

    private static async Task<BufferedCommandResult> RunAsync(string space, double left, params string[] command)
    {
        Command inner = Prepare(left, command);
        return await Cli.Wrap("ip").WithArguments(["netns", "exec", space, "perl", "-e", LinkAddress.Script, Until(left), .. command])
            .WithValidation(inner.Validation).ExecuteBufferedAsync();
    }

    private static Command Prepare(double left, params string[] command) =>
        Cli.Wrap("perl").WithArguments(["-e", LinkAddress.Script, Until(left), .. command]).WithValidation(CommandResultValidation.None);

    private static string Until(double left) =>
        (double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture) + left).ToString("F2", CultureInfo.InvariantCulture);
}
