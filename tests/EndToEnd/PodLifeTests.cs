using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What a person sees who runs a pod.</summary>
[Collection(NodeCollection.Name)]
public sealed class PodLifeTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pod_serves_its_page_to_the_host_and_runs_a_kernel_of_its_own()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token);
        PodSandboxStatus status = await pod.StatusAsync(Token);
        using HttpClient http = new() { Timeout = TimeSpan.FromSeconds(5) };
        string page = "";

        await Eventually.TrueAsync(async () =>
        {
            try
            {
                page = await http.GetStringAsync(new Uri($"http://{status.Network.Ip}/"), Token);
                return true;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, TimeSpan.FromSeconds(20), () => $"no page from {status.Network.Ip}\n{lab.Daemon.Log}", Token);
        string kernel = (await pod.ExecAsync(container, Token, "uname", "-r")).Trim();

        Assert.Contains("<!doctype html", page, StringComparison.OrdinalIgnoreCase);
        Assert.NotEqual((await File.ReadAllTextAsync("/proc/sys/kernel/osrelease", Token)).Trim(), kernel);
        Assert.Equal(pod.Config.Hostname, (await pod.ExecAsync(container, Token, "hostname")).Trim());
        Assert.Equal(PodSandboxState.SandboxReady, status.State);
    }

    [Fact]
    public async Task A_pod_is_one_QEMU_and_no_other_helper()
    {
        LeakCheck before = lab.TakeLeakCheck();
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        await pod.StartAsync(Token, "sleep", "1000");

        string[] added = [.. lab.TakeLeakCheck().Processes.Except(before.Processes)];

        Assert.Contains("qemu-system", Assert.Single(added), StringComparison.Ordinal);
    }

    [Fact]
    public async Task QEMU_runs_as_a_user_of_its_own_in_the_pods_network_namespace_and_a_cgroup_of_its_own()
    {
        LeakCheck before = lab.TakeLeakCheck();
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        int pid = int.Parse(Assert.Single(lab.TakeLeakCheck().Processes.Except(before.Processes)).Split(' ')[0], null);
        string status = await File.ReadAllTextAsync($"/proc/{pid}/status", Token);
        string userIds = status.Split('\n').Single(line => line.StartsWith("Uid:", StringComparison.Ordinal));
        string ownNetwork = new FileInfo("/proc/self/ns/net").ResolveLinkTarget(false)!.Name;
        string itsNetwork = new FileInfo($"/proc/{pid}/ns/net").ResolveLinkTarget(false)!.Name;
        string cgroup = await File.ReadAllTextAsync($"/proc/{pid}/cgroup", Token);

        Assert.All(userIds.Split('\t').Skip(1), id => Assert.True(int.Parse(id, null) >= 2_000_000, userIds));

        // chown, dac_override, fowner, fsetid: what serving root's files takes, in a root where there are no others.
        Assert.Contains("CapEff:\t000000000000001b", status, StringComparison.Ordinal);
        Assert.False(File.Exists($"/proc/{pid}/root/etc/passwd"), "QEMU sees the host's /etc.");
        Assert.False(Directory.Exists($"/proc/{pid}/root/root"), "QEMU sees the home of root.");
        Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
        Assert.NotEqual(ownNetwork, itsNetwork);
        Assert.Contains("/vks/", cgroup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_lands_in_the_log_in_the_CRI_format_and_the_exit_code_in_the_status()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string container = await pod.StartAsync(Token, "sh", "-c", "echo to-out; echo to-err >&2; exit 7");
        ContainerStatus status = await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(20), Token);
        await Eventually.TrueAsync(() => Task.FromResult(pod.ReadLog("c0").Split('\n').Length >= 3), TimeSpan.FromSeconds(5), () => pod.ReadLog("c0"), Token);

        Assert.Equal(7, status.ExitCode);
        Assert.Equal("Error", status.Reason);
        Assert.True(status.FinishedAt >= status.StartedAt && status.StartedAt >= status.CreatedAt, status.ToString());
        Assert.Matches(@"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) stdout F to-out$", pod.ReadLog("c0"));
        Assert.Matches(@"(?m)^\S+ stderr F to-err$", pod.ReadLog("c0"));
    }

    [Fact]
    public async Task A_stop_sends_the_signal_and_kills_what_does_not_heed_it()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string polite = await pod.StartAsync(Token, "sh", "-c", "trap 'exit 3' TERM; while true; do sleep 0.1; done");
        string deaf = await pod.StartAsync(Token, "sh", "-c", "trap '' TERM; while true; do sleep 0.1; done");
        await Task.Delay(TimeSpan.FromMilliseconds(500), Token);

        await lab.Cri.Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = polite, Timeout = 20 }, cancellationToken: Token);
        await lab.Cri.Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = deaf, Timeout = 1 }, cancellationToken: Token);

        Assert.Equal(3, (await pod.ContainerStatusAsync(polite, Token)).ExitCode);
        Assert.Equal(137, (await pod.ContainerStatusAsync(deaf, Token)).ExitCode);
    }

    [Fact]
    public async Task Two_containers_of_a_pod_share_network_and_host_name_and_nothing_of_their_files()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string server = await pod.StartAsync(Token);
        string client = await pod.StartAsync(Token, "sleep", "1000");

        await pod.ExecAsync(server, Token, "sh", "-c", "echo mine > /only-here");
        await Eventually.TrueAsync(
            async () => (await lab.Cri.Runtime.ExecSyncAsync(
                new ExecSyncRequest { ContainerId = client, Cmd = { "wget", "-q", "-O", "-", "http://127.0.0.1/" }, Timeout = 10 }, cancellationToken: Token)).ExitCode == 0,
            TimeSpan.FromSeconds(20), () => lab.Daemon.Log, Token);

        Assert.Equal("no\n", await pod.ExecAsync(client, Token, "sh", "-c", "test -e /only-here && echo yes || echo no"));
        Assert.Equal(await pod.ExecAsync(server, Token, "hostname"), await pod.ExecAsync(client, Token, "hostname"));
    }

    [Fact]
    public async Task Memory_beyond_the_limit_ends_the_container_as_OOMKilled()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(
            Token,
            config => config.Linux.Resources = new LinuxContainerResources { MemoryLimitInBytes = 32 * 1024 * 1024 },
            "sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1");

        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        ContainerStatus status = await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(30), Token);

        Assert.Equal("OOMKilled", status.Reason);
        Assert.Equal(137, status.ExitCode);
        Assert.Equal(PodSandboxState.SandboxReady, (await pod.StatusAsync(Token)).State);
    }
}
