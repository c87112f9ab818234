using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using CliWrap;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What pods and containers use, as a kubelet and crictl ask for it.</summary>
[Collection(NodeCollection.Name)]
public sealed class StatsTests(NodeLab lab)
{
    private const ulong MiB = 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RuntimeService.RuntimeServiceClient Runtime => lab.Cri.Runtime;

    [Fact]
    public async Task The_figures_of_a_container_follow_what_it_does()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string id = await pod.CreateAsync(Token, null, "sleep", "1000");
        ContainerStats created = await StatsAsync(id);
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        ContainerStats before = await StatsAsync(id);

        await pod.ExecAsync(id, Token, "sh", "-c", "dd if=/dev/zero of=/written bs=1M count=6 2>/dev/null; mkdir /more; touch /more/a /more/b; dd if=/dev/zero of=/dev/shm/held bs=1M count=12 2>/dev/null");
        await pod.ExecAsync(id, Token, "sh", "-c", "(while :; do :; done) & loop=$!; sleep 2; kill $loop");
        ContainerStats after = await StatsAsync(id);

        Assert.Null(created.Cpu);
        Assert.Equal("c0", created.Attributes.Metadata.Name);
        Assert.Equal(id, before.Attributes.Id);
        ulong cpu = after.Cpu.UsageCoreNanoSeconds.Value - before.Cpu.UsageCoreNanoSeconds.Value;
        double seconds = (after.Cpu.Timestamp - before.Cpu.Timestamp) / 1e9;
        Assert.InRange(cpu / 1e9, 0.2, seconds);
        Assert.InRange(after.Cpu.UsageNanoCores.Value / 1e9, 0.05, 1.01);
        Assert.InRange(Now() - DateTimeOffset.FromUnixTimeMilliseconds(after.Cpu.Timestamp / 1_000_000), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.InRange(after.Memory.UsageBytes.Value, before.Memory.UsageBytes.Value + (12 * MiB), 512 * MiB);
        Assert.InRange(after.Memory.WorkingSetBytes.Value, 12 * MiB, after.Memory.UsageBytes.Value);
        Assert.InRange(after.Memory.AvailableBytes.Value, 100 * MiB, before.Memory.AvailableBytes.Value - (11 * MiB));
        Assert.InRange(after.Memory.RssBytes.Value, 1UL, after.Memory.UsageBytes.Value);
        Assert.InRange(after.Memory.PageFaults.Value, before.Memory.PageFaults.Value + 100, ulong.MaxValue);

        // A walk that took long on a busy host is not made again at once.
        await Eventually.TrueAsync(
            async () => (after = await StatsAsync(id)).WritableLayer.InodesUsed.Value == before.WritableLayer.InodesUsed.Value + 4, TimeSpan.FromSeconds(60), () => after.ToString(), Token);
        Assert.InRange(after.WritableLayer.UsedBytes.Value, 6 * MiB, 7 * MiB);
        Assert.Equal(0UL, after.Swap.SwapUsageBytes.Value);
        Assert.NotNull(after.Cpu.Psi.Some);
        Assert.NotNull(after.Io.Psi.Full);
        ImageFsInfoResponse images = await lab.Cri.Images.ImageFsInfoAsync(new ImageFsInfoRequest(), cancellationToken: Token);
        Assert.Equal(images.ContainerFilesystems[0].FsId, after.WritableLayer.FsId);
    }

    [Fact]
    public async Task The_figures_of_a_pod_are_those_of_its_containers_and_its_network()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string server = await pod.StartAsync(Token);
        string idle = await pod.StartAsync(Token, "sleep", "1000");
        string address = (await pod.StatusAsync(Token)).Network.Ip;
        using HttpClient http = new() { BaseAddress = new Uri($"http://{address}/") };
        await Eventually.TrueAsync(() => AnswersAsync(http), TimeSpan.FromSeconds(20), () => "its server does not answer", Token);
        PodSandboxStats before = await PodStatsAsync(pod.Id);

        for (int i = 0; i < 20; i++)
        {
            await http.GetStringAsync(new Uri("/", UriKind.Relative), Token);
        }

        PodSandboxStats after = await PodStatsAsync(pod.Id);
        await Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = idle, Timeout = 0 }, cancellationToken: Token);
        PodSandboxStats ended = await PodStatsAsync(pod.Id);

        Assert.Equal(pod.Config.Metadata, after.Attributes.Metadata);
        Assert.Equal([server, idle], after.Linux.Containers.Select(container => container.Attributes.Id));
        Assert.Equal([server], ended.Linux.Containers.Select(container => container.Attributes.Id));
        Assert.Equal("eth0", after.Linux.Network.DefaultInterface.Name);
        Assert.InRange(after.Linux.Network.DefaultInterface.RxBytes.Value, before.Linux.Network.DefaultInterface.RxBytes.Value + 2000, ulong.MaxValue);
        Assert.InRange(after.Linux.Network.DefaultInterface.TxBytes.Value, before.Linux.Network.DefaultInterface.TxBytes.Value + 2000, ulong.MaxValue);
        Assert.DoesNotContain(after.Linux.Network.Interfaces, link => link.Name is "eth0" or "lo");
        Assert.InRange(after.Linux.Process.ProcessCount.Value, 2UL, 10UL);
        Assert.InRange(ended.Linux.Process.ProcessCount.Value, 1UL, after.Linux.Process.ProcessCount.Value - 1);
        ulong containers = after.Linux.Containers.Aggregate(0UL, (sum, container) => sum + container.Cpu.UsageCoreNanoSeconds.Value);
        Assert.InRange(after.Linux.Cpu.UsageCoreNanoSeconds.Value, containers * 9 / 10, ulong.MaxValue);
        Assert.InRange(after.Linux.Memory.WorkingSetBytes.Value, after.Linux.Containers[0].Memory.WorkingSetBytes.Value, 512 * MiB);
        Assert.InRange(ended.Linux.Cpu.UsageCoreNanoSeconds.Value, after.Linux.Cpu.UsageCoreNanoSeconds.Value, ulong.MaxValue);
    }

    [Fact]
    public async Task Lists_and_streams_keep_to_their_filters_and_former_kubelets_get_them_too()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Labels["tier"] = "stats";
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);
        string one = await pod.CreateAsync(Token, made => made.Labels["role"] = "one", "sleep", "1000");
        string two = await pod.CreateAsync(Token, made => made.Labels["role"] = "two", "true");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = one }, cancellationToken: Token);
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = two }, cancellationToken: Token);
        await pod.WaitExitedAsync(two, TimeSpan.FromSeconds(20), Token);

        // What has ended is known, and uses nothing.
        ContainerStats ended = await StatsAsync(two);
        Assert.Equal(("c1", null, null), (ended.Attributes.Metadata.Name, ended.Cpu, ended.Memory));
        Assert.Equal([one], await ContainersAsync(new ContainerStatsFilter { PodSandboxId = pod.Id }));
        Assert.Equal([one], await ContainersAsync(new ContainerStatsFilter { Id = one[..20] }));
        Assert.Equal([one], await ContainersAsync(new ContainerStatsFilter { PodSandboxId = pod.Id[..20], LabelSelector = { ["role"] = "one" } }));
        Assert.Empty(await ContainersAsync(new ContainerStatsFilter { Id = one, LabelSelector = { ["role"] = "two" } }));
        Assert.Empty(await ContainersAsync(new ContainerStatsFilter { Id = "none" }));
        Assert.Contains(one, await ContainersAsync(null));
        Assert.Equal([pod.Id], await PodsAsync(new PodSandboxStatsFilter { Id = pod.Id }));
        Assert.Equal([pod.Id], await PodsAsync(new PodSandboxStatsFilter { LabelSelector = { ["tier"] = "stats" } }));
        Assert.Empty(await PodsAsync(new PodSandboxStatsFilter { Id = pod.Id, LabelSelector = { ["tier"] = "back" } }));
        Assert.Contains(pod.Id, await PodsAsync(null));

        using var former = new CriClient(lab.Daemon.SocketPath, new FormerApiCalls());
        ListContainerStatsResponse old = await former.Runtime.ListContainerStatsAsync(
            new ListContainerStatsRequest { Filter = new ContainerStatsFilter { Id = one } }, cancellationToken: Token);
        Assert.True(Assert.Single(old.Stats).Memory.WorkingSetBytes.Value > 0);
        Assert.Equal(one, (await former.Runtime.ContainerStatsAsync(new ContainerStatsRequest { ContainerId = one }, cancellationToken: Token)).Stats.Attributes.Id);
    }

    [Fact]
    public async Task Ids_that_are_not_there_and_pods_that_do_not_run_are_told_apart()
    {
        string stopped;
        await using (PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token))
        {
            stopped = pod.Id;
            string container = await pod.StartAsync(Token, "sleep", "1000");
            await Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: Token);

            Assert.Equal(StatusCode.FailedPrecondition, await CodeAsync(() => PodStatsAsync(pod.Id)));
            Assert.Null((await StatsAsync(container)).Cpu);
            Assert.DoesNotContain(pod.Id, await PodsAsync(null));
            Assert.DoesNotContain(container, await ContainersAsync(null));
        }

        Assert.Equal(StatusCode.NotFound, await CodeAsync(() => PodStatsAsync(stopped)));
        Assert.Equal(StatusCode.NotFound, await CodeAsync(() => StatsAsync("0123456789abcdef")));
        Assert.Equal(StatusCode.InvalidArgument, await CodeAsync(() => StatsAsync("")));
        Assert.Equal(StatusCode.InvalidArgument, await CodeAsync(() => PodStatsAsync("")));
    }

    [Fact]
    public async Task Metrics_fit_their_descriptors_and_tell_the_machine_apart_from_what_runs_in_it()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(
            Token,
            config =>
            {
                config.Annotations["vks.dev/ulimits"] = "nofile=100:200";
                config.Linux.Resources = new LinuxContainerResources
                {
                    MemoryLimitInBytes = 40 << 20,
                    MemorySwapLimitInBytes = 48 << 20,
                    Unified = { ["memory.low"] = "4M" },
                };
            },
            "sleep",
            "1000");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);

        ListMetricDescriptorsResponse descriptors = await Runtime.ListMetricDescriptorsAsync(new ListMetricDescriptorsRequest(), cancellationToken: Token);
        PodSandboxMetrics listed = (await Runtime.ListPodSandboxMetricsAsync(new ListPodSandboxMetricsRequest(), cancellationToken: Token))
            .PodMetrics.Single(metrics => metrics.PodSandboxId == pod.Id);
        using AsyncServerStreamingCall<StreamPodSandboxMetricsResponse> call = Runtime.StreamPodSandboxMetrics(new StreamPodSandboxMetricsRequest(), cancellationToken: Token);
        List<StreamPodSandboxMetricsResponse> pieces = await call.ResponseStream.ReadAllAsync(Token).ToListAsync(Token);

        Assert.Contains(pieces.SelectMany(piece => piece.PodSandboxMetrics), metrics => metrics.PodSandboxId == pod.Id);
        Dictionary<string, MetricDescriptor> known = descriptors.Descriptors.ToDictionary(descriptor => descriptor.Name);
        Metric[] all = [.. listed.Metrics, .. listed.ContainerMetrics.SelectMany(metrics => metrics.Metrics)];
        Assert.All(all, metric => Assert.Equal(known[metric.Name].LabelKeys.Count, metric.LabelValues.Count));
        Assert.Equal([container], listed.ContainerMetrics.Select(metrics => metrics.ContainerId));
        Assert.Empty(known.Keys.Except(all.Select(metric => metric.Name)));

        Metric own = listed.ContainerMetrics[0].Metrics.Single(metric => metric.Name == "container_memory_working_set_bytes");
        Assert.Equal([container, container, lab.Image, "test", pod.Config.Metadata.Name, "c0"], own.LabelValues);
        Assert.Equal(1UL, listed.ContainerMetrics[0].Metrics.Single(metric => metric.Name == "container_processes").Value.Value);
        Assert.InRange(OfContainer("container_file_descriptors"), 3UL, 20UL);
        Assert.Equal(0UL, OfContainer("container_sockets"));
        Assert.InRange(OfContainer("container_fs_inodes_free"), 1UL, OfContainer("container_fs_inodes_total") - 1);
        Assert.Equal((40 * MiB, 8 * MiB), (OfContainer("container_spec_memory_limit_bytes"), OfContainer("container_spec_memory_swap_limit_bytes")));
        Assert.Equal(4 * MiB, OfContainer("container_spec_memory_reservation_limit_bytes"));
        Metric files = listed.ContainerMetrics[0].Metrics.Single(metric => metric.Name == "container_ulimits_soft");
        Assert.Equal(("max_open_files", 100UL), (files.LabelValues[^1], files.Value.Value));
        Assert.Contains(
            "2MB", listed.ContainerMetrics[0].Metrics.Where(metric => metric.Name == "container_hugetlb_usage_bytes").Select(metric => metric.LabelValues[^1]));
        ulong used = Of("container_memory_usage_bytes");
        ulong host = Of("vks_machine_memory_pss_bytes");
        Assert.InRange(used, own.Value.Value, 64 * MiB);
        Assert.InRange(host, 32 * MiB, 900 * MiB);
        Assert.InRange(Of("vks_machine_memory_rss_bytes"), host, 2 * host);
        Assert.Equal(host - used, Of("vks_machine_memory_overhead_bytes"));
        Assert.InRange(Of("vks_machine_memory_cgroup_bytes"), 16 * MiB, 900 * MiB);
        Assert.InRange(Of("vks_guest_memory_total_bytes"), 400 * MiB, 512 * MiB);
        Assert.InRange(Of("vks_machine_cpu_seconds_total"), 0UL, 600UL);

        ulong Of(string name) => listed.Metrics.Single(metric => metric.Name == name).Value.Value;

        ulong OfContainer(string name) => listed.ContainerMetrics[0].Metrics.Single(metric => metric.Name == name).Value.Value;
    }

    [Fact]
    public async Task A_guest_that_does_not_answer_is_left_out_in_time_and_comes_back()
    {
        await using PodUnderTest well = await PodUnderTest.RunAsync(lab, Token);
        string answering = await well.StartAsync(Token, "sleep", "1000");
        await using PodUnderTest frozen = await PodUnderTest.RunAsync(lab, Token);
        string silent = await frozen.StartAsync(Token, "sleep", "1000");
        PodSandboxStatusResponse status = await Runtime.PodSandboxStatusAsync(
            new PodSandboxStatusRequest { PodSandboxId = frozen.Id, Verbose = true }, cancellationToken: Token);
        int pid = JsonDocument.Parse(status.Info["info"]).RootElement.GetProperty("pid").GetInt32();
        await SignalAsync("-STOP", pid);
        try
        {
            // The answer comes before the caller's deadline, which is nearer than the time a guest is given.
            ListContainerStatsResponse hurried = await Runtime.ListContainerStatsAsync(
                new ListContainerStatsRequest(), deadline: Now().UtcDateTime.AddSeconds(4), cancellationToken: Token);
            Assert.Equal(StatusCode.DeadlineExceeded, await CodeAsync(() => StatsAsync(silent)));

            // Once it is known to be silent, nobody waits for it.
            long begin = Stopwatch.GetTimestamp();
            ListPodSandboxStatsResponse later = await Runtime.ListPodSandboxStatsAsync(new ListPodSandboxStatsRequest(), cancellationToken: Token);
            TimeSpan took = Stopwatch.GetElapsedTime(begin);

            string[] first = [.. hurried.Stats.Select(stats => stats.Attributes.Id)];
            string[] second = [.. later.Stats.Select(stats => stats.Attributes.Id)];
            Assert.Contains(answering, first);
            Assert.DoesNotContain(silent, first);
            Assert.Contains(well.Id, second);
            Assert.DoesNotContain(frozen.Id, second);
            Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(4));
        }
        finally
        {
            await SignalAsync("-CONT", pid);
        }

        await Eventually.TrueAsync(
            async () => (await Runtime.ListContainerStatsAsync(new ListContainerStatsRequest(), cancellationToken: Token)).Stats.Any(stats => stats.Attributes.Id == silent),
            TimeSpan.FromSeconds(20), () => lab.Daemon.Log, Token);
    }

    private static async Task<bool> AnswersAsync(HttpClient http)
    {
        try
        {
            await http.GetStringAsync(new Uri("/", UriKind.Relative), Token);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static DateTimeOffset Now() => TimeProvider.System.GetUtcNow();

    private static async Task SignalAsync(string signal, int pid) =>
        await Cli.Wrap("kill").WithArguments([signal, pid.ToString(CultureInfo.InvariantCulture)]).ExecuteAsync(Token);

    private static async Task<StatusCode> CodeAsync(Func<Task> call) => (await Assert.ThrowsAsync<RpcException>(call)).StatusCode;

    private async Task<ContainerStats> StatsAsync(string id) =>
        (await Runtime.ContainerStatsAsync(new ContainerStatsRequest { ContainerId = id }, cancellationToken: Token)).Stats;

    private async Task<PodSandboxStats> PodStatsAsync(string id) =>
        (await Runtime.PodSandboxStatsAsync(new PodSandboxStatsRequest { PodSandboxId = id }, cancellationToken: Token)).Stats;

    /// <summary>Ids by the list, which the stream must give too.</summary>
    private async Task<IReadOnlyList<string>> ContainersAsync(ContainerStatsFilter? filter)
    {
        ListContainerStatsResponse list = await Runtime.ListContainerStatsAsync(new ListContainerStatsRequest { Filter = filter }, cancellationToken: Token);
        using AsyncServerStreamingCall<StreamContainerStatsResponse> call = Runtime.StreamContainerStats(new StreamContainerStatsRequest { Filter = filter }, cancellationToken: Token);
        List<StreamContainerStatsResponse> pieces = await call.ResponseStream.ReadAllAsync(Token).ToListAsync(Token);
        string[] ids = [.. list.Stats.Select(stats => stats.Attributes.Id)];
        Assert.Equal(ids, pieces.SelectMany(piece => piece.ContainerStats).Select(stats => stats.Attributes.Id));
        return ids;
    }

    private async Task<IReadOnlyList<string>> PodsAsync(PodSandboxStatsFilter? filter)
    {
        ListPodSandboxStatsResponse list = await Runtime.ListPodSandboxStatsAsync(new ListPodSandboxStatsRequest { Filter = filter }, cancellationToken: Token);
        using AsyncServerStreamingCall<StreamPodSandboxStatsResponse> call = Runtime.StreamPodSandboxStats(new StreamPodSandboxStatsRequest { Filter = filter }, cancellationToken: Token);
        List<StreamPodSandboxStatsResponse> pieces = await call.ResponseStream.ReadAllAsync(Token).ToListAsync(Token);
        string[] ids = [.. list.Stats.Select(stats => stats.Attributes.Id)];
        Assert.Equal(ids, pieces.SelectMany(piece => piece.PodSandboxStats).Select(stats => stats.Attributes.Id));
        return ids;
    }
}
