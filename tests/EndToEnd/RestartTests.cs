using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What survives when something is killed.</summary>
[Collection(NodeCollection.Name)]
public sealed class RestartTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_running_pod_goes_on_when_the_daemon_is_killed_and_started_again()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sh", "-c", "i=0; while true; do i=$((i+1)); echo line-$i; sleep 0.05; done");
        await Task.Delay(TimeSpan.FromSeconds(1), Token);
        string qemu = QemuOf(pod);

        await lab.Daemon.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(1), Token);
        await lab.RestartDaemonAsync(Token);

        Assert.Equal(qemu, QemuOf(pod));
        Assert.Equal(PodSandboxState.SandboxReady, (await pod.StatusAsync(Token)).State);
        Assert.Equal(ContainerState.ContainerRunning, (await pod.ContainerStatusAsync(container, Token)).State);
        Assert.Equal("alive\n", await pod.ExecAsync(container, Token, "echo", "alive"));
        int atLeast = Numbers(pod).LastOrDefault() + 10;
        await Eventually.TrueAsync(() => Task.FromResult(Numbers(pod).LastOrDefault() >= atLeast), TimeSpan.FromSeconds(15), () => lab.Daemon.Log, Token);
        int[] numbers = [.. Numbers(pod).Distinct()];
        Assert.Equal(Enumerable.Range(1, numbers.Length), numbers);
    }

    [Fact]
    public async Task A_container_that_ended_while_the_daemon_was_away_is_exited_with_its_code_afterwards()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sh", "-c", "sleep 1; echo last words; exit 5");

        await lab.Daemon.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), Token);
        await lab.RestartDaemonAsync(Token);
        ContainerStatus status = await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(10), Token);

        Assert.Equal(5, status.ExitCode);
        await Eventually.TrueAsync(() => Task.FromResult(pod.ReadLog("c0").Contains("last words", StringComparison.Ordinal)), TimeSpan.FromSeconds(5), () => pod.ReadLog("c0"), Token);
    }

    [Fact]
    public async Task A_killed_QEMU_makes_the_pod_NotReady_and_its_containers_exited_within_a_second()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        using Process qemu = Process.GetProcessById(int.Parse(QemuOf(pod), CultureInfo.InvariantCulture));

        qemu.Kill();

        await Eventually.TrueAsync(
            async () => (await pod.StatusAsync(Token)).State == PodSandboxState.SandboxNotready
                && (await pod.ContainerStatusAsync(container, Token)).State == ContainerState.ContainerExited,
            TimeSpan.FromSeconds(1), () => lab.Daemon.Log, Token);
        Assert.NotEqual(0, (await pod.ContainerStatusAsync(container, Token)).ExitCode);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, null, "true"));
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
    }

    [Fact]
    public async Task A_daemon_killed_while_it_makes_a_pod_leaves_after_restart_a_whole_pod_or_none()
    {
        LeakCheck before = lab.TakeLeakCheck();
        int[] delays = [5, 20, 40, 80, 150, 300, 600, 900, 1300, 1800];

        foreach (int delay in delays)
        {
            Task<RunPodSandboxResponse> making = lab.Cri.Runtime.RunPodSandboxAsync(
                new RunPodSandboxRequest { Config = PodUnderTest.NewConfig(lab) }, cancellationToken: Token).ResponseAsync;
            await Task.Delay(TimeSpan.FromMilliseconds(delay), Token);
            await lab.Daemon.KillAsync();
            await Record.ExceptionAsync(() => making);
            await lab.RestartDaemonAsync(Token);

            foreach (PodSandbox pod in (await lab.Cri.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), cancellationToken: Token)).Items)
            {
                Assert.Equal(PodSandboxState.SandboxReady, pod.State);
            }

            await lab.RemoveAllPodsAsync(Token);
        }

        LeakCheck after = await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token);
        Assert.Empty(before.Differences(after));
    }

    private string QemuOf(PodUnderTest pod) =>
        Assert.Single(lab.TakeLeakCheck().Processes, line => line.Contains("qemu-system", StringComparison.Ordinal) && line.Contains(pod.Id, StringComparison.Ordinal)).Split(' ')[0];

    private static IEnumerable<int> Numbers(PodUnderTest pod) =>
        pod.ReadLog("c0").Split('\n').Where(line => line.Contains(" F line-", StringComparison.Ordinal))
            .Select(line => int.Parse(line[(line.LastIndexOf('-') + 1)..], CultureInfo.InvariantCulture));
}
