using System.Globalization;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Limits that change while pods run, as the containers' own cgroups and the statuses tell them.</summary>
[Collection(NodeCollection.Name)]
public sealed class ResourceUpdateTests(NodeLab lab)
{
    private const long MiB = 1 << 20;

    private static readonly string[] s_show = ["sh", "-c", "cd /sys/fs/cgroup; echo $(cat cpu.weight cpu.max memory.max memory.swap.max pids.max) /$(cat cpuset.cpus)"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RuntimeService.RuntimeServiceClient Runtime => lab.Cri.Runtime;

    [Fact]
    public async Task A_running_container_gets_new_limits_and_keeps_them_in_its_status_also_after_a_restart()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, new LinuxContainerResources { CpuShares = 512, MemoryLimitInBytes = 64 * MiB, OomScoreAdj = 500, Unified = { ["pids.max"] = "99" } });

        await UpdateAsync(container, new LinuxContainerResources
        {
            CpuShares = 2048, CpuQuota = 50_000, CpuPeriod = 200_000, MemoryLimitInBytes = 100 * MiB, MemorySwapLimitInBytes = 100 * MiB, CpusetCpus = "0-63", OomScoreAdj = 700,
            Unified = { ["memory.high"] = "90M" },
        });

        Assert.Equal($"79 50000 200000 {100 * MiB} 0 99 /0\n", await pod.ExecAsync(container, Token, s_show));
        Assert.Equal($"{90 * MiB} 700\n", await pod.ExecAsync(container, Token, "sh", "-c", "echo $(cat /sys/fs/cgroup/memory.high /proc/$(pidof sleep)/oom_score_adj)"));
        await AssertKeptAsync();
        await lab.Daemon.KillAsync();
        await lab.RestartDaemonAsync(Token);
        await AssertKeptAsync();

        await UpdateAsync(container, new LinuxContainerResources { CpuQuota = -1, MemoryLimitInBytes = -1 });
        Assert.Equal("79 max 200000 max max 99 /0\n", await pod.ExecAsync(container, Token, s_show));
        Assert.Equal((0, 0, 2048), await LimitsAsync());

        async Task AssertKeptAsync()
        {
            LinuxContainerResources kept = (await pod.ContainerStatusAsync(container, Token)).Resources.Linux;
            Assert.Equal((2048, 50_000, 200_000, 100 * MiB, 700, "0-63"), (kept.CpuShares, kept.CpuQuota, kept.CpuPeriod, kept.MemoryLimitInBytes, kept.OomScoreAdj, kept.CpusetCpus));
            Assert.Equal("99 90M", $"{kept.Unified["pids.max"]} {kept.Unified["memory.high"]}");
        }

        async Task<(long Quota, long Memory, long Shares)> LimitsAsync()
        {
            LinuxContainerResources kept = (await pod.ContainerStatusAsync(container, Token)).Resources.Linux;
            return (kept.CpuQuota, kept.MemoryLimitInBytes, kept.CpuShares);
        }
    }

    [Fact]
    public async Task A_refused_value_changes_nothing_and_says_why()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, new LinuxContainerResources { MemoryLimitInBytes = 64 * MiB });
        string made = await pod.CreateAsync(Token, config => config.Linux.Resources = new LinuxContainerResources { MemoryLimitInBytes = 64 * MiB }, "sleep", "1000");
        string before = await pod.ExecAsync(container, Token, s_show);

        foreach (string one in (string[])[container, made])
        {
            await RefusedAsync(one, StatusCode.InvalidArgument, "no_such", new LinuxContainerResources { CpuShares = 77, Unified = { ["memory.no_such"] = "1" } });
            await RefusedAsync(one, StatusCode.InvalidArgument, "memory.high", new LinuxContainerResources { CpuShares = 77, MemoryLimitInBytes = 70 * MiB, Unified = { ["memory.high"] = "much" } });
            await RefusedAsync(one, StatusCode.InvalidArgument, "cgroup.procs", new LinuxContainerResources { CpuShares = 77, Unified = { ["cgroup.procs"] = "1" } });
            await RefusedAsync(one, StatusCode.InvalidArgument, "cpu_period", new LinuxContainerResources { CpuShares = 77, CpuPeriod = 5 });
            await RefusedAsync(one, StatusCode.InvalidArgument, "memory_swap", new LinuxContainerResources { MemoryLimitInBytes = 80 * MiB, MemorySwapLimitInBytes = 70 * MiB });
            await RefusedAsync(one, StatusCode.InvalidArgument, "1GB", new LinuxContainerResources { CpuShares = 77, HugepageLimits = { new HugepageLimit { PageSize = "1GB", Limit = 1 << 30 } } });
            await RefusedAsync(one, StatusCode.FailedPrecondition, "cannot grow", new LinuxContainerResources { CpuShares = 77, MemoryLimitInBytes = 8192 * MiB });
        }

        // More than a page of what the container has read and written: the kernel would kill to get below.
        await pod.ExecAsync(container, Token, "dd", "if=/dev/zero", "of=/dev/shm/much", "bs=1M", "count=20");
        await RefusedAsync(container, StatusCode.FailedPrecondition, "in use", new LinuxContainerResources { CpuShares = 77, MemoryLimitInBytes = 10 * MiB });
        Assert.Equal(before, await pod.ExecAsync(container, Token, s_show));
        Assert.Equal((0, 64 * MiB), await KeptAsync(container));
        Assert.Equal((0, 64 * MiB), await KeptAsync(made));

        async Task<(long Shares, long Memory)> KeptAsync(string id)
        {
            LinuxContainerResources kept = (await pod.ContainerStatusAsync(id, Token)).Resources.Linux;
            return (kept.CpuShares, kept.MemoryLimitInBytes);
        }
    }

    [Fact]
    public async Task A_created_container_starts_with_its_new_limits_and_one_that_ended_or_never_was_has_none()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(Token, null, "sleep", "1000");

        await UpdateAsync(container, new LinuxContainerResources { MemoryLimitInBytes = 50 * MiB, CpuShares = 1024, Unified = { ["pids.max"] = "20" } });
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        Assert.Equal($"39 max 100000 {50 * MiB} max 20 /\n", await pod.ExecAsync(container, Token, s_show));

        await Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = container, Timeout = 0 }, cancellationToken: Token);
        await RefusedAsync(container, StatusCode.FailedPrecondition, "has ended", new LinuxContainerResources { CpuShares = 77 });
        await RefusedAsync(new string('e', 64), StatusCode.NotFound, "eeee", new LinuxContainerResources { CpuShares = 77 });
        await Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: Token);
        RpcException stopped = await Assert.ThrowsAsync<RpcException>(() => UpdatePodAsync(pod.Id, new LinuxContainerResources { CpuShares = 77 }));
        Assert.Equal(StatusCode.FailedPrecondition, stopped.StatusCode);
        RpcException unknown = await Assert.ThrowsAsync<RpcException>(() => UpdatePodAsync(new string('e', 64), new LinuxContainerResources { CpuShares = 77 }));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task A_smaller_pod_is_small_for_all_its_containers_and_a_larger_one_than_its_machine_is_refused()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        await UpdatePodAsync(pod.Id, new LinuxContainerResources { CpuShares = 300, CpuQuota = 20_000, CpuPeriod = 100_000, MemoryLimitInBytes = 24 * MiB });

        string info = (await Runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = pod.Id, Verbose = true }, cancellationToken: Token)).Info["info"];
        Assert.Contains($"\"memoryBytes\":{24 * MiB}", info, StringComparison.Ordinal);
        Assert.Contains(HostShares(pod.Id), (string[])["300", "12"]);
        ExecSyncResponse hungry = await Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = container, Cmd = { "dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1" }, Timeout = 60 }, cancellationToken: Token);
        Assert.Equal(137, hungry.ExitCode);
        string[] used = (await pod.ExecAsync(
            container, Token, "sh", "-c", "u() { echo $(grep usage_usec /sys/fs/cgroup/cpu.stat | cut -d' ' -f2) $(cut -d' ' -f1 /proc/uptime | tr -d .); }; a=$(u); (while :; do :; done) & sleep 3; kill $!; echo $a $(u)")).Split(' ');
        long[] numbers = [.. used.Select(text => long.Parse(text, CultureInfo.InvariantCulture))];

        // A fifth of the time, in hundredths of a second; as much again for a guest whose clock ticks late.
        Assert.InRange((numbers[2] - numbers[0]) / 10_000, 1, (numbers[3] - numbers[1]) * 2 / 5);

        RpcException little = await Assert.ThrowsAsync<RpcException>(() => UpdatePodAsync(pod.Id, new LinuxContainerResources { CpuQuota = 1000, CpuPeriod = 1_000_000 }));
        Assert.Equal(StatusCode.InvalidArgument, little.StatusCode);
        RpcException memory = await Assert.ThrowsAsync<RpcException>(() => UpdatePodAsync(pod.Id, new LinuxContainerResources { CpuShares = 400, MemoryLimitInBytes = 4096 * MiB }));
        Assert.Equal(StatusCode.FailedPrecondition, memory.StatusCode);
        Assert.Contains("cannot grow", memory.Status.Detail, StringComparison.Ordinal);
        Assert.Contains(HostShares(pod.Id), (string[])["300", "12"]);

        await lab.RestartDaemonAsync(Token);
        await UpdatePodAsync(pod.Id, new LinuxContainerResources { MemoryLimitInBytes = 300 * MiB, CpuQuota = -1 });
        await pod.ExecAsync(container, Token, "dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1");
    }

    [Fact]
    public async Task The_former_api_changes_limits_too()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        using var former = new CriClient(lab.Daemon.SocketPath, new FormerApiCalls());
        await former.Runtime.UpdateContainerResourcesAsync(
            new UpdateContainerResourcesRequest { ContainerId = container, Linux = new LinuxContainerResources { CpuShares = 2048 } }, cancellationToken: Token);

        Assert.Equal("79\n", await pod.ExecAsync(container, Token, "cat", "/sys/fs/cgroup/cpu.weight"));
    }

    private async Task<string> StartAsync(PodUnderTest pod, LinuxContainerResources resources)
    {
        string id = await pod.CreateAsync(Token, config => config.Linux.Resources = resources, "sleep", "1000");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private async Task UpdateAsync(string container, LinuxContainerResources resources) =>
        await Runtime.UpdateContainerResourcesAsync(new UpdateContainerResourcesRequest { ContainerId = container, Linux = resources }, cancellationToken: Token);

    private async Task UpdatePodAsync(string pod, LinuxContainerResources resources) =>
        await Runtime.UpdatePodSandboxResourcesAsync(new UpdatePodSandboxResourcesRequest { PodSandboxId = pod, Resources = resources }, cancellationToken: Token);

    private async Task RefusedAsync(string container, StatusCode code, string mentions, LinuxContainerResources resources)
    {
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => UpdateAsync(container, resources));
        Assert.True(refused.StatusCode == code && refused.Status.Detail.Contains(mentions, StringComparison.Ordinal), $"expected {code} with '{mentions}', got {refused.Status}");
    }

    /// <summary>The weight of the pod's QEMU on the host, on either version of cgroups.</summary>
    private static string HostShares(string podId)
    {
        string folder = Directory.EnumerateDirectories("/sys/fs/cgroup", podId, new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 5 })
            .First(path => File.Exists(Path.Combine(path, "cpu.shares")) || File.Exists(Path.Combine(path, "cpu.weight")));
        return File.ReadAllText(Path.Combine(folder, File.Exists(Path.Combine(folder, "cpu.shares")) ? "cpu.shares" : "cpu.weight")).Trim();
    }
}
