using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;
using HostSize = Vks.Spherelet.Pods.HostSize;

namespace Vks.Tests.EndToEnd;

/// <summary>Limits that bite, signals that stop, ports that lead in.</summary>
[Collection(NodeCollection.Name)]
public sealed class ContainerLimitTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RuntimeService.RuntimeServiceClient Runtime => lab.Cri.Runtime;

    [Fact]
    public async Task A_container_has_no_more_processes_than_its_limit_and_no_more_CPU_than_its_quota()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(
            Token,
            config => config.Linux.Resources = new LinuxContainerResources { CpuQuota = 20_000, CpuPeriod = 100_000, Unified = { ["pids.max"] = "8" } },
            "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; wait");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        await Eventually.TrueAsync(
            () => Task.FromResult(pod.ReadLog("c0").Contains("fork", StringComparison.Ordinal)), TimeSpan.FromSeconds(30), () => pod.ReadLog("c0"), Token);

        string busy = await pod.CreateAsync(
            Token, config => config.Linux.Resources = new LinuxContainerResources { CpuQuota = 20_000, CpuPeriod = 100_000 }, "sh", "-c", "while :; do :; done");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = busy }, cancellationToken: Token);
        long begin = Stopwatch.GetTimestamp();
        long before = await UsedMillisecondsAsync();
        await Task.Delay(TimeSpan.FromSeconds(3), Token);
        long used = await UsedMillisecondsAsync() - before;

        // A fifth of the time, and as much again for a guest that lags behind.
        Assert.InRange(used, 1, (long)(Stopwatch.GetElapsedTime(begin).TotalMilliseconds * 0.4));

        async Task<long> UsedMillisecondsAsync() => long.Parse(
            (await pod.ExecAsync(busy, Token, "grep", "usage_usec", "/sys/fs/cgroup/cpu.stat")).Split(' ')[1], CultureInfo.InvariantCulture) / 1000;
    }

    [Fact]
    public async Task A_limit_beyond_what_the_host_has_is_kept_and_makes_no_larger_machine()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.Resources = new LinuxContainerResources { MemoryLimitInBytes = 1L << 50 };
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        string text = (await pod.ExecAsync(container, Token, "grep", "MemTotal", "/proc/meminfo")).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Assert.InRange(long.Parse(text, CultureInfo.InvariantCulture) / 1024, 1, HostSize.Here.MemoryMiB);
    }

    [Fact]
    public async Task A_large_limit_can_be_had_to_its_last_byte()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.Resources = new LinuxContainerResources { MemoryLimitInBytes = 4L << 30 };
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        long[] free = [.. (await pod.ExecAsync(container, Token, "awk", "/MemFree/ { print $2 } FILENAME ~ /min_free/ { print $1 }", "/proc/meminfo", "/proc/sys/vm/min_free_kbytes"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static text => long.Parse(text, CultureInfo.InvariantCulture))];
        Assert.InRange((free[0] - free[1]) / 1024, 4096, 4096 + 64);
    }

    [Fact]
    public async Task A_container_that_gets_hardly_any_CPU_can_still_be_killed()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sh", "-c", "while :; do :; done");
        await Runtime.UpdateContainerResourcesAsync(
            new UpdateContainerResourcesRequest { ContainerId = container, Linux = new LinuxContainerResources { CpuQuota = 1000, CpuPeriod = 1_000_000 } }, cancellationToken: Token);

        await Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = container, Timeout = 0 }, cancellationToken: Token);

        Assert.Equal(137, (await pod.ContainerStatusAsync(container, Token)).ExitCode);
    }

    [Fact]
    public async Task A_container_is_stopped_by_the_signal_it_asks_for_and_says_which()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(
            Token, config => config.StopSignal = Signal.Sigusr1, "sh", "-c", "trap 'exit 41' USR1; trap '' TERM; echo ready; while :; do sleep 0.1; done");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        await Eventually.TrueAsync(
            () => Task.FromResult(pod.ReadLog("c0").Contains("ready", StringComparison.Ordinal)), TimeSpan.FromSeconds(30), () => pod.ReadLog("c0"), Token);

        Assert.Equal(Signal.Sigusr1, (await pod.ContainerStatusAsync(container, Token)).StopSignal);
        await Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = container, Timeout = 30 }, cancellationToken: Token);

        Assert.Equal(41, (await pod.ContainerStatusAsync(container, Token)).ExitCode);
    }

    [Fact]
    public async Task A_host_port_leads_to_the_pods_port_until_the_pod_is_stopped()
    {
        int port = FreePort();
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.PortMappings.Add(new PortMapping { ContainerPort = 80, HostPort = port });
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);
        await pod.StartAsync(Token);
        IPAddress bridge = NetworkInterface.GetAllNetworkInterfaces().Single(one => one.Name == lab.BridgeName)
            .GetIPProperties().UnicastAddresses.Select(one => one.Address).First(address => address.GetAddressBytes().Length == 4);
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        var url = new Uri($"http://{bridge}:{port}/");

        await Eventually.TrueAsync(IsServedAsync, TimeSpan.FromSeconds(30), () => lab.Daemon.Log, Token);
        await Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: Token);
        Assert.False(await IsServedAsync());

        async Task<bool> IsServedAsync()
        {
            try
            {
                using HttpResponseMessage answer = await http.GetAsync(url, Token);
                return answer.IsSuccessStatusCode;
            }
            catch (Exception cause) when (cause is HttpRequestException or TaskCanceledException && !Token.IsCancellationRequested)
            {
                return false;
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
