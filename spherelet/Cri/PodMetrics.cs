using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;
using static Vks.Spherelet.Cri.PodMetric;

namespace Vks.Spherelet.Cri;

/// <summary>All metrics of pods and containers: cAdvisor's names, which kubelets serve on and dashboards know, and our own of machines.</summary>
/// <remarks>A reading is a whole number (metrics.proto), so times are whole seconds, rounded down.</remarks>
internal static class PodMetrics
{
    private static readonly string[] s_scopes = ["container", "hierarchy"];

    private const long NanosecondsPerSecond = 1_000_000_000;
    private const long MicrosecondsPerSecond = 1_000_000;

    /// <summary>Of a container, and of all containers of a pod together.</summary>
    private static readonly PodMetric[] s_ofGroups =
    [
        new("container_cpu_usage_seconds_total", V1.MetricType.Counter, "CPU time used, in seconds", static subject => [new(Seconds(subject.Group.CpuNanoseconds), "total")]) { MoreLabelKeys = ["cpu"] },
        Counter("container_cpu_user_seconds_total", "CPU time used by programs, in seconds", static subject => Seconds(subject.Group.CpuUserNanoseconds)),
        Counter("container_cpu_system_seconds_total", "CPU time used by the guest's kernel, in seconds", static subject => Seconds(subject.Group.CpuSystemNanoseconds)),
        Counter("container_cpu_cfs_periods_total", "Periods of the CPU limit", static subject => subject.Group.CpuPeriods),
        Counter("container_cpu_cfs_throttled_periods_total", "Periods in which the CPU limit was met", static subject => subject.Group.CpuThrottledPeriods),
        Counter("container_cpu_cfs_throttled_seconds_total", "Time held up by the CPU limit, in seconds", static subject => Seconds(subject.Group.CpuThrottledNanoseconds)),
        Gauge("container_memory_usage_bytes", "Memory in use, page cache included", static subject => subject.Group.MemoryBytes),
        Gauge("container_memory_working_set_bytes", "Memory in use that the kernel cannot take back at once", static subject => StatsWriter.WorkingSet(subject.Group)),
        Gauge("container_memory_max_usage_bytes", "The most memory that was ever in use", static subject => subject.Group.MemoryPeakBytes),
        Gauge("container_memory_rss", "Anonymous memory", static subject => subject.Group.AnonymousBytes),
        Gauge("container_memory_cache", "Page cache", static subject => subject.Group.FileBytes),
        Gauge("container_memory_mapped_file", "Mapped page cache", static subject => subject.Group.MappedFileBytes),
        Gauge("container_memory_kernel_usage", "Memory of the guest's kernel on account of the group", static subject => subject.Group.KernelBytes),
        Gauge("container_memory_swap", "Swap in use", static subject => subject.Group.SwapBytes),
        Gauge("container_memory_total_active_file_bytes", "Page cache used of late", static subject => subject.Group.ActiveFileBytes),
        Gauge("container_memory_total_inactive_file_bytes", "Page cache not used of late", static subject => subject.Group.InactiveFileBytes),
        new("container_hugetlb_usage_bytes", V1.MetricType.Gauge, "Huge pages in use, by their size",
            static subject => subject.Group.Hugepages.Select(static pages => new PodMetricValue(pages.Bytes, pages.PageSize))) { MoreLabelKeys = ["pagesize"] },
        Counter("container_memory_failcnt", "How often the memory limit was met", static subject => subject.Group.MemoryLimitHits),
        new("container_memory_failures_total", V1.MetricType.Counter, "Page faults", Faults) { MoreLabelKeys = ["failure_type", "scope"] },
        Counter("container_oom_events_total", "Processes killed for want of memory", static subject => subject.Group.OutOfMemoryKills),
        Gauge("container_processes", "Processes", static subject => subject.Group.Processes),
        Gauge("container_threads", "Threads", static subject => subject.Group.Threads),
        Gauge("container_threads_max", "Most threads that are allowed, 0 for no limit", static subject => subject.Group.ThreadsLimit),
        Gauge("container_file_descriptors", "Open files of all processes", static subject => subject.Group.FileDescriptors),
        Gauge("container_sockets", "Open sockets of all processes", static subject => subject.Group.Sockets),
        new("container_blkio_device_usage_total", V1.MetricType.Counter, "Bytes read from and written to disks", DeviceTraffic) { MoreLabelKeys = ["device", "operation"] },
        Device("container_fs_reads_bytes_total", "Bytes read from disks", static device => device.ReadBytes),
        Device("container_fs_reads_total", "Reads from disks", static device => device.Reads),
        Device("container_fs_writes_bytes_total", "Bytes written to disks", static device => device.WrittenBytes),
        Device("container_fs_writes_total", "Writes to disks", static device => device.Writes),
        .. Pressure("cpu", "CPU time", static group => group.CpuPressure),
        .. Pressure("memory", "memory", static group => group.MemoryPressure),
        .. Pressure("io", "disks", static group => group.IoPressure),
        Gauge("container_spec_memory_limit_bytes", "Memory limit, 0 for none", static subject => subject.Group.MemoryLimitBytes),
        Gauge("container_spec_memory_reservation_limit_bytes", "Memory that others' need does not take from it, 0 for none", static subject => subject.Group.MemoryReservedBytes),
        Gauge("container_spec_memory_swap_limit_bytes", "Swap limit, 0 for none", static subject => subject.Group.SwapLimitBytes),
        Gauge("container_last_seen", "When it was looked at, in seconds since 1970", static subject => Seconds(subject.Reading.UnixNanoseconds)),
    ];

    private static readonly PodMetric[] s_ofContainers =
    [
        new("container_fs_usage_bytes", V1.MetricType.Gauge, "Bytes of the writable layer", static subject => subject.Layer is { } layer ? [new(layer.Bytes)] : []),
        new("container_fs_limit_bytes", V1.MetricType.Gauge, "Size of the disk that the writable layers of the pod share", DiskSize),
        new("container_fs_inodes_total", V1.MetricType.Gauge, "Files that the disk of the pod's writable layers can have", static subject => subject.Layer is { } layer ? [new(layer.FileSystemInodes)] : []),
        new("container_fs_inodes_free", V1.MetricType.Gauge, "Files that it can still take", static subject => subject.Layer is { } layer ? [new(layer.FileSystemInodesFree)] : []),
        new("container_ulimits_soft", V1.MetricType.Gauge, "Soft limits of the first process",
            static subject => subject.OpenFilesLimit > 0 ? [new PodMetricValue(subject.OpenFilesLimit, "max_open_files")] : []) { MoreLabelKeys = ["ulimit"] },
        Gauge("container_spec_cpu_period", "Period of the CPU limit in microseconds", static subject => subject.Container!.Config.Resources.CpuPeriodMicroseconds),
        Gauge("container_spec_cpu_quota", "CPU time allowed in each period in microseconds, 0 for no limit", static subject => subject.Container!.Config.Resources.CpuQuotaMicroseconds),
        Gauge("container_spec_cpu_shares", "Share of CPU time against other containers", static subject => subject.Container!.Config.Resources.CpuShares),
        Gauge("container_start_time_seconds", "When it was started, in seconds since 1970", static subject => Seconds(subject.Container!.StartedUnixNanoseconds)),
    ];

    private static readonly PodMetric[] s_ofPods =
    [
        Traffic("container_network_receive_bytes_total", "Bytes received", static link => link.Received.Bytes),
        Traffic("container_network_receive_packets_total", "Packets received", static link => link.Received.Packets),
        Traffic("container_network_receive_errors_total", "Faulty packets received", static link => link.Received.Errors),
        Traffic("container_network_receive_packets_dropped_total", "Packets received and let fall", static link => link.Received.Dropped),
        Traffic("container_network_transmit_bytes_total", "Bytes sent", static link => link.Sent.Bytes),
        Traffic("container_network_transmit_packets_total", "Packets sent", static link => link.Sent.Packets),
        Traffic("container_network_transmit_errors_total", "Packets that could not be sent", static link => link.Sent.Errors),
        Traffic("container_network_transmit_packets_dropped_total", "Packets let fall instead of sent", static link => link.Sent.Dropped),
        Gauge("vks_guest_memory_total_bytes", "Memory that the pod's machine has for programs and its kernel's caches", static subject => subject.Reading.Guest.MemoryTotalBytes),
        Gauge("vks_guest_memory_available_bytes", "Memory that the pod's machine could still give to programs", static subject => subject.Reading.Guest.MemoryAvailableBytes),
        Machine("vks_machine_memory_rss_bytes", V1.MetricType.Gauge, "Host memory of the pod's QEMU, the guest's included", static (_, host) => host.ResidentBytes),
        Machine("vks_machine_memory_pss_bytes", V1.MetricType.Gauge, "The same, with pages that other processes share counted in proportion", static (_, host) => host.ProportionalBytes),
        Machine("vks_machine_memory_cgroup_bytes", V1.MetricType.Gauge, "Host memory on account of the machine's control group", static (_, host) => host.GroupMemoryBytes),
        Machine("vks_machine_memory_overhead_bytes", V1.MetricType.Gauge, "Host memory beyond what the pod's containers use: QEMU, the guest's kernel and agent, and what the guest does not use now",
            static (subject, host) => subject.Reading.OverheadBytes(host)),
        Machine("vks_machine_cpu_seconds_total", V1.MetricType.Counter, "CPU time of the host used by the pod's QEMU, the guest's included, in seconds", static (_, host) => (long)host.CpuTime.TotalSeconds),
        Machine("vks_machine_threads", V1.MetricType.Gauge, "Threads of the pod's QEMU", static (_, host) => host.Threads),
    ];

    /// <summary>Every metric there is.</summary>
    public static IEnumerable<V1.MetricDescriptor> Descriptors => s_ofGroups.Concat(s_ofContainers).Concat(s_ofPods).Select(static metric => metric.Descriptor);

    /// <summary>A pod's own: all its containers together, its network and its machine.</summary>
    public static IEnumerable<V1.Metric> OfPod(PodReading reading, HostUsage? host)
    {
        PodMetricSubject subject = new(reading, reading.Pod) { Host = host };
        return s_ofGroups.Concat(s_ofPods).SelectMany(metric => metric.Of(subject));
    }

    /// <summary>A container's; none when the guest has it no more.</summary>
    public static IEnumerable<V1.Metric> OfContainer(PodReading reading, ContainerRecord container)
    {
        if (reading.Container(container.Id) is not { Group: { } group } usage)
        {
            return [];
        }

        PodMetricSubject subject = new(reading, group) { Container = container, Layer = usage.Layer, OpenFilesLimit = usage.OpenFilesLimit };
        return s_ofGroups.Concat(s_ofContainers).SelectMany(metric => metric.Of(subject));
    }

    private static PodMetric Device(string name, string help, Func<DeviceCounters, long> read) =>
        new(name, V1.MetricType.Counter, help, subject => subject.Group.Devices.Select(device => new PodMetricValue(read(device), device.Device))) { MoreLabelKeys = ["device"] };

    private static IEnumerable<PodMetricValue> DeviceTraffic(PodMetricSubject subject) =>
        from device in subject.Group.Devices
        from traffic in new[] { ("Read", device.ReadBytes), ("Write", device.WrittenBytes) }
        select new PodMetricValue(traffic.Item2, device.Device, traffic.Item1);

    private static PodMetric Traffic(string name, string help, Func<InterfaceCounters, long> read) =>
        new(name, V1.MetricType.Counter, help, subject => subject.Reading.Guest.Interfaces.Select(link => new PodMetricValue(read(link), link.Name))) { MoreLabelKeys = ["interface"] };

    private static PodMetric Machine(string name, V1.MetricType type, string help, Func<PodMetricSubject, HostUsage, long> read) =>
        new(name, type, help, subject => subject.Host is { } host ? [new PodMetricValue(read(subject, host))] : []);

    private static PodMetric[] Pressure(string resource, string what, Func<GroupUsage, PressureStall?> read)
    {
        return
        [
            Stall("stalled", $"Time in which every task waited for {what}, in seconds", static pressure => pressure.Full),
            Stall("waiting", $"Time in which some task waited for {what}, in seconds", static pressure => pressure.Some),
        ];

        PodMetric Stall(string word, string help, Func<PressureStall, StallTimes> part) => new(
            $"container_pressure_{resource}_{word}_seconds_total",
            V1.MetricType.Counter,
            help,
            subject => read(subject.Group) is { } pressure ? [new PodMetricValue(part(pressure).TotalMicroseconds / MicrosecondsPerSecond)] : []);
    }

    /// <summary>The counters of a cgroup hold those below it too, so both scopes are one.</summary>
    private static IEnumerable<PodMetricValue> Faults(PodMetricSubject subject) =>
        from scope in s_scopes
        from fault in new[] { ("pgfault", subject.Group.PageFaults), ("pgmajfault", subject.Group.MajorPageFaults) }
        select new PodMetricValue(fault.Item2, fault.Item1, scope);

    private static IEnumerable<PodMetricValue> DiskSize(PodMetricSubject subject) =>
        subject.Reading.Sandbox.Machine is { Spec.ScratchMiB: > 0 and var size } ? [new PodMetricValue(size * 1024L * 1024)] : [];

    private static long Seconds(long nanoseconds) => nanoseconds / NanosecondsPerSecond;
}
