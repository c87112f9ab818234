using System.Globalization;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What time it is in a pod, whatever happened to its clock.</summary>
[Collection(NodeCollection.Name)]
public sealed class GuestClockTests(NodeLab lab) : IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await lab.RestartDaemonAsync(Token, "--guest-clock-interval-seconds", "1");

    public async ValueTask DisposeAsync() => await lab.RestartDaemonAsync(CancellationToken.None);

    [Fact]
    public async Task A_clock_that_a_container_set_an_hour_off_comes_back_and_the_log_says_so()
    {
        await using PodUnderTest pod = await PrivilegedAsync();
        string container = await PrivilegedContainerAsync(pod);

        foreach (int seconds in (int[])[3600, -3600])
        {
            Assert.InRange(await OffsetAsync(pod, container, $"date -s @$(( $(date +%s) + {seconds} )) >&2; date +%s"), seconds - 5, seconds + 5);
            await RightAsync(pod, container);
        }

        Assert.Matches($"Machine {pod.Id}: its clock was changed by -3[56][0-9][0-9]", lab.Daemon.Log);
        Assert.Matches($"Machine {pod.Id}: its clock was changed by 3[56][0-9][0-9]", lab.Daemon.Log);
    }

    [Fact]
    public async Task A_clock_is_right_again_after_its_machine_stood_still()
    {
        await using PodUnderTest pod = await PrivilegedAsync();
        string container = await PrivilegedContainerAsync(pod);
        int qemu = int.Parse(
            Assert.Single(lab.TakeLeakCheck().Processes, line => line.Contains("qemu-system", StringComparison.Ordinal) && line.Contains(pod.Id, StringComparison.Ordinal)).Split(' ')[0],
            CultureInfo.InvariantCulture);

        _ = Tmds.Linux.LibC.kill(qemu, Tmds.Linux.LibC.SIGSTOP);
        await Task.Delay(TimeSpan.FromSeconds(4), Token);
        _ = Tmds.Linux.LibC.kill(qemu, Tmds.Linux.LibC.SIGCONT);

        await RightAsync(pod, container);
    }

    private async Task<PodUnderTest> PrivilegedAsync()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.SecurityContext = new LinuxSandboxSecurityContext { Privileged = true };
        return await PodUnderTest.RunAsync(lab, Token, config);
    }

    private async Task<string> PrivilegedContainerAsync(PodUnderTest pod)
    {
        string id = await pod.CreateAsync(Token, change => change.Linux.SecurityContext = new LinuxContainerSecurityContext { Privileged = true }, "sleep", "1000");
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private Task RightAsync(PodUnderTest pod, string container)
    {
        double offset = 0;
        return Eventually.TrueAsync(
            async () => Math.Abs(offset = await OffsetAsync(pod, container, "date +%s")) < 3, TimeSpan.FromSeconds(30), () => $"the clock is {offset} s off\n{lab.Daemon.Log}", Token);
    }

    /// <summary>Seconds that a guest is ahead, by the whole seconds that a command prints.</summary>
    private static async Task<double> OffsetAsync(PodUnderTest pod, string container, string command)
    {
        string text = await pod.ExecAsync(container, Token, "sh", "-c", command);
        return double.Parse(text, CultureInfo.InvariantCulture) - (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
    }
}
