using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Pods;
using Vks.Tests.Kit;
using Vks.Tests.Runtime;
using V1 = Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Spherelet;

/// <summary>Asking guests what they use, and what is made of the answers.</summary>
public sealed class PodMeterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silent_guest_has_one_question_waiting_and_is_waited_for_once()
    {
        ConcurrentQueue<string> asked = [];
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GuestRig agent = Agent(async () =>
        {
            asked.Enqueue("");
            await answer.Task;
        });
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        using var meter = new PodMeter(pod.Time, NullLogger<PodMeter>.Instance);

        Task<IReadOnlyList<PodReading>> first = meter.ReadAllAsync([pod.Sandbox], PodMeter.AnswerLimit, Token);
        await pod.AdvanceUntilAsync(first);
        var refused = await Assert.ThrowsAsync<PodException>(() => pod.AdvanceUntilAsync(meter.ReadAsync(pod.Sandbox, PodMeter.AnswerLimit, Token)));
        IReadOnlyList<PodReading> second = await meter.ReadAllAsync([pod.Sandbox], PodMeter.AnswerLimit, Token).WaitAsync(TimeSpan.FromSeconds(10), Token);

        Assert.Empty(await first);
        Assert.Equal(PodFault.TimedOut, refused.Fault);
        Assert.Empty(second);
        Assert.Single(asked);

        answer.SetResult();
        await Eventually.TrueAsync(async () => (await meter.ReadAllAsync([pod.Sandbox], PodMeter.AnswerLimit, Token)).Count == 1, TimeSpan.FromSeconds(10), () => "it does not come back", Token);
    }

    [Fact]
    public async Task Who_asks_at_the_same_time_gets_the_same_answer()
    {
        ConcurrentQueue<string> asked = [];
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GuestRig agent = Agent(async () =>
        {
            asked.Enqueue("");
            await answer.Task;
        });
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        using var meter = new PodMeter(pod.Time, NullLogger<PodMeter>.Instance);

        Task<PodReading>[] readings = [.. Enumerable.Range(0, 10).Select(_ => meter.ReadAsync(pod.Sandbox, PodMeter.AnswerLimit, Token))];
        answer.SetResult();

        Assert.Single((await Task.WhenAll(readings)).Distinct());
        Assert.Single(asked);
    }

    [Fact]
    public async Task Metrics_have_as_many_label_values_as_their_descriptors_have_keys_and_counters_are_counters()
    {
        await using GuestRig agent = Agent(() => Task.CompletedTask);
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        using var meter = new PodMeter(pod.Time, NullLogger<PodMeter>.Instance);
        PodReading reading = await meter.ReadAsync(pod.Sandbox, PodMeter.AnswerLimit, Token);
        reading = reading with { Guest = reading.Guest with { Containers = [new ContainerUsage(pod.Container.Id, Usage, new LayerUsage(1, 2, 3)) { OpenFilesLimit = 9 }] } };

        V1.Metric[] metrics =
        [
            .. PodMetrics.OfPod(reading, new Vks.Runtime.Machines.HostUsage { ResidentBytes = 7, ProportionalBytes = 6, Threads = 1 }),
            .. PodMetrics.OfContainer(reading, pod.Container.Record),
        ];

        Dictionary<string, V1.MetricDescriptor> known = PodMetrics.Descriptors.ToDictionary(descriptor => descriptor.Name);
        Assert.All(known.Values, descriptor => Assert.Equal(descriptor.LabelKeys.Count, descriptor.LabelKeys.Distinct().Count()));
        Assert.All(metrics, metric => Assert.Equal(known[metric.Name].LabelKeys.Count, metric.LabelValues.Count));
        Assert.All(metrics, metric => Assert.True(
            metric.MetricType == V1.MetricType.Counter
                == ((metric.Name.EndsWith("_total", StringComparison.Ordinal) && metric.Name != "container_fs_inodes_total") || metric.Name == "container_memory_failcnt"),
            metric.Name));
        Assert.Equal(metrics.Length, metrics.Select(metric => metric.Name + string.Join('|', metric.LabelValues)).Distinct().Count());
        Assert.Empty(known.Keys.Except(metrics.Select(metric => metric.Name)).Except(["container_fs_limit_bytes"]));
        Assert.All(
            new[]
            {
                "container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_network_receive_bytes_total",
                "container_fs_usage_bytes", "container_processes", "container_oom_events_total", "container_start_time_seconds",
                "container_file_descriptors", "container_sockets", "container_fs_inodes_total", "container_fs_inodes_free",
                "container_blkio_device_usage_total", "container_spec_memory_swap_limit_bytes",
                "container_hugetlb_usage_bytes", "container_spec_memory_reservation_limit_bytes", "container_ulimits_soft",
            },
            name => Assert.Contains(name, known.Keys));
        Assert.Equal(0UL, metrics.First(metric => metric.Name == "vks_machine_memory_overhead_bytes").Value.Value);
    }

    [Fact]
    public async Task Figures_that_nobody_has_are_absent()
    {
        await using GuestRig agent = Agent(() => Task.CompletedTask);
        await using ScriptedPod pod = await ScriptedPod.CreateAsync(await agent.ConnectAsync(), Token);
        using var meter = new PodMeter(pod.Time, NullLogger<PodMeter>.Instance);
        PodReading reading = await meter.ReadAsync(pod.Sandbox, PodMeter.AnswerLimit, Token);

        V1.ContainerStats without = StatsWriter.Container(pod.Container.Record, null, "/layers");
        V1.ContainerStats unknown = StatsWriter.Container(pod.Container.Record, reading, "/layers");
        reading = reading with { Guest = reading.Guest with { MemoryTotalBytes = 500, Containers = [new ContainerUsage(pod.Container.Id, Usage with { MemoryLimitBytes = 400 }, null)] } };
        V1.ContainerStats known = StatsWriter.Container(pod.Container.Record, reading, "/layers");

        Assert.Equal("c", without.Attributes.Metadata.Name);
        Assert.Equal((null, null, null, null), (without.Cpu, without.Memory, without.WritableLayer, without.Swap));
        Assert.Equal((null, null), (unknown.Cpu, unknown.WritableLayer));
        Assert.Null(known.Cpu.UsageNanoCores);
        Assert.Null(known.WritableLayer);
        Assert.Equal((300UL, 200UL, 200UL), (known.Memory.UsageBytes.Value, known.Memory.WorkingSetBytes.Value, known.Memory.AvailableBytes.Value));
        Assert.Equal(5000UL, known.Cpu.Psi.Some.Total);
    }

    [Fact]
    public void A_rate_is_made_of_two_readings_that_are_neither_too_close_nor_too_far_apart()
    {
        CpuRates rates = new();

        Assert.Empty(Take(0, 0));
        Assert.Empty(Take(50, 10));
        Assert.Equal(500_000_000, Take(1000, 500)["a"]);
        Assert.Equal(1_000_000_000, Take(2000, 1500)["a"]);

        // Askers one after the other: over the time since the reading before, not since the last asker's.
        Assert.Equal(1_000_000_000, Take(2001, 1501)["a"], 10_000_000d);
        Assert.Empty(Take(3000, 3));
        Assert.Equal(0, Take(4000, 3)["a"]);
        Assert.Empty(Take(200_000, 1000));

        IReadOnlyDictionary<string, long> Take(long milliseconds, long cpuMilliseconds) =>
            rates.Take(milliseconds * 1_000_000, [KeyValuePair.Create("a", cpuMilliseconds * 1_000_000)]);
    }

    [Fact]
    public void A_container_that_comes_anew_has_no_rate_yet()
    {
        CpuRates rates = new();
        rates.Take(0, [KeyValuePair.Create("a", 0L)]);
        rates.Take(1_000_000_000, [KeyValuePair.Create("b", 0L)]);

        Assert.Equal(["b"], rates.Take(2_000_000_000, [KeyValuePair.Create("a", 0L), KeyValuePair.Create("b", 0L)]).Keys);
    }

    private static GroupUsage Usage => new()
    {
        CpuNanoseconds = 5_000_000_000,
        MemoryBytes = 300,
        InactiveFileBytes = 100,
        Hugepages = [new HugepageUsage("2MB", 2 << 20)],
        Devices = [new DeviceCounters("sda", 1, 2, 3, 4)],
        CpuPressure = new PressureStall(new StallTimes(1, 2, 3, 5), new StallTimes(0, 0, 0, 0)),
        MemoryPressure = new PressureStall(new StallTimes(0, 0, 0, 0), new StallTimes(0, 0, 0, 0)),
        IoPressure = new PressureStall(new StallTimes(0, 0, 0, 0), new StallTimes(0, 0, 0, 0)),
    };

    /// <summary>Tells what one empty guest uses, once the script lets it.</summary>
    private static GuestRig Agent(Func<Task> script) => new(methods => methods.Register(
        GuestMethods.Stats, static () => GuestJson.Default.Empty, static () => GuestJson.Default.GuestStats,
        async (_, _, _) =>
        {
            await script();
            return new GuestStats
            {
                UnixNanoseconds = 1,
                BootNanoseconds = 1,
                MemoryTotalBytes = 1000,
                MemoryAvailableBytes = 900,
                Interfaces = [new InterfaceCounters("eth0", new TrafficCounters(1, 2, 3, 4), new TrafficCounters(5, 6, 7, 8))],
                Pod = Usage,
                Containers = [],
            };
        }));
}
