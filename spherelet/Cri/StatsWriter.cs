using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>What pods and containers use, in the words of CRI. Figures that nobody has are absent, not zero.</summary>
internal static class StatsWriter
{
    /// <summary>The interface that CNI gives every pod.</summary>
    private const string DefaultInterface = "eth0";

    /// <summary>One container.</summary>
    /// <param name="container">The container.</param>
    /// <param name="reading">Its pod's, or null when the pod does not run: then only the attributes are told.</param>
    /// <param name="layerDirectory">A directory on the file system of writable layers.</param>
    public static V1.ContainerStats Container(ContainerRecord container, PodReading? reading, string layerDirectory)
    {
        V1.ContainerStats stats = new()
        {
            Attributes = new V1.ContainerAttributes
            {
                Id = container.Id,
                Metadata = new V1.ContainerMetadata { Name = container.Config.Name, Attempt = container.Config.Attempt },
                Labels = { container.Config.Labels.ToDictionary() },
                Annotations = { container.Config.Annotations.ToDictionary() },
            },
        };
        ContainerUsage? usage = reading?.Container(container.Id);
        if (usage?.Group is { } group)
        {
            stats.Cpu = Cpu(reading!, container.Id, group);
            stats.Memory = Memory(reading!, group);
            stats.Swap = Swap(reading!, group);
            stats.Io = Io(reading!, group);
        }

        if (usage?.Layer is { } layer)
        {
            stats.WritableLayer = new V1.FilesystemUsage
            {
                // The guest's clock set apart: when it was measured, by the host's.
                Timestamp = reading!.UnixNanoseconds - Math.Max(0, reading.Guest.UnixNanoseconds - layer.UnixNanoseconds),
                FsId = new V1.FilesystemIdentifier { Mountpoint = layerDirectory },
                UsedBytes = Value(layer.Bytes),
                InodesUsed = Value(layer.Inodes),
            };
        }

        return stats;
    }

    /// <summary>One pod with those of its containers that have not ended.</summary>
    /// <param name="reading">The pod's.</param>
    /// <param name="containers">Its containers.</param>
    /// <param name="layerDirectory">A directory on the file system of writable layers.</param>
    public static V1.PodSandboxStats Pod(PodReading reading, IEnumerable<ContainerRecord> containers, string layerDirectory)
    {
        PodSandbox sandbox = reading.Sandbox;
        return new V1.PodSandboxStats
        {
            Attributes = PodWriter.Attributes(sandbox),
            Linux = new V1.LinuxPodSandboxStats
            {
                Cpu = Cpu(reading, sandbox.Id, reading.Pod),
                Memory = Memory(reading, reading.Pod),
                Network = Network(reading),
                Process = new V1.ProcessUsage { Timestamp = reading.UnixNanoseconds, ProcessCount = Value(reading.Pod.Processes) },
                Io = Io(reading, reading.Pod),
                Containers = { containers.Where(static record => record.Phase != ContainerPhase.Exited).Select(record => Container(record, reading, layerDirectory)) },
            },
        };
    }

    private static V1.CpuUsage Cpu(PodReading reading, string id, GroupUsage group) => new()
    {
        Timestamp = reading.UnixNanoseconds,
        UsageCoreNanoSeconds = Value(group.CpuNanoseconds),
        UsageNanoCores = reading.NanoCores.TryGetValue(id, out long rate) ? Value(rate) : null,
        Psi = Psi(group.CpuPressure),
    };

    private static V1.MemoryUsage Memory(PodReading reading, GroupUsage group)
    {
        long workingSet = WorkingSet(group);
        long limit = reading.MemoryLimitBytes(group);
        return new V1.MemoryUsage
        {
            Timestamp = reading.UnixNanoseconds,
            WorkingSetBytes = Value(workingSet),
            AvailableBytes = limit > 0 ? Value(Math.Max(0, limit - workingSet)) : null,
            UsageBytes = Value(group.MemoryBytes),
            RssBytes = Value(group.AnonymousBytes),
            PageFaults = Value(group.PageFaults),
            MajorPageFaults = Value(group.MajorPageFaults),
            Psi = Psi(group.MemoryPressure),
        };
    }

    /// <summary>Memory that the kernel cannot take back at once.</summary>
    internal static long WorkingSet(GroupUsage group) => Math.Max(0, group.MemoryBytes - group.InactiveFileBytes);

    /// <summary>No guest has a swap disk, unless a container brings one.</summary>
    private static V1.SwapUsage Swap(PodReading reading, GroupUsage group) => new()
    {
        Timestamp = reading.UnixNanoseconds,
        SwapAvailableBytes = Value(0),
        SwapUsageBytes = Value(group.SwapBytes),
    };

    private static V1.IoUsage? Io(PodReading reading, GroupUsage group) => Psi(group.IoPressure) is { } psi
        ? new V1.IoUsage { Timestamp = reading.UnixNanoseconds, Psi = psi }
        : null;

    private static V1.NetworkUsage Network(PodReading reading)
    {
        ILookup<bool, V1.NetworkInterfaceUsage> interfaces = reading.Guest.Interfaces.ToLookup(static item => item.Name == DefaultInterface, Interface);
        return new V1.NetworkUsage
        {
            Timestamp = reading.UnixNanoseconds,
            DefaultInterface = interfaces[true].FirstOrDefault(),
            Interfaces = { interfaces[false] },
        };
    }

    private static V1.NetworkInterfaceUsage Interface(InterfaceCounters counters) => new()
    {
        Name = counters.Name,
        RxBytes = Value(counters.Received.Bytes),
        RxErrors = Value(counters.Received.Errors),
        TxBytes = Value(counters.Sent.Bytes),
        TxErrors = Value(counters.Sent.Errors),
    };

    private static V1.PsiStats? Psi(PressureStall? pressure) =>
        pressure is null ? null : new V1.PsiStats { Full = Psi(pressure.Full), Some = Psi(pressure.Some) };

    private static V1.PsiData Psi(StallTimes times) => new()
    {
        Total = (ulong)times.TotalMicroseconds * 1000,
        Avg10 = times.Average10,
        Avg60 = times.Average60,
        Avg300 = times.Average300,
    };

    private static V1.UInt64Value Value(long value) => new() { Value = (ulong)Math.Max(0, value) };
}
