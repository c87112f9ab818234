using System.Globalization;
using System.Runtime.CompilerServices;
using Vks.Agent.Boot;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Reads what the guest and its containers use.</summary>
internal static class Usage
{
    /// <summary>Columns of /proc/net/dev, after the name.</summary>
    private const int Columns = 16;
    private const int SentColumn = 8;

    private static readonly ConditionalWeakTable<Container, LayerMeter> _layers = [];

    /// <summary>All of it.</summary>
    internal static async Task<GuestStats> ReadAsync(IReadOnlyList<Container> containers)
    {
        Task<LayerUsage?>[] layers = [.. containers.Select(static container => _layers.GetValue(container, static key => new LayerMeter(key.Bundle.UpperFolder)).ReadAsync())];
        await Task.WhenAll(layers);

        // The clock and the counters of CPU time are read close together: rates are made of both.
        long now = Clock.BootNanoseconds();
        GroupUsage? pod = GroupReader.Read(ContainerCgroup.Parent);
        var usages = new List<ContainerUsage>(containers.Count);
        for (int i = 0; i < containers.Count; i++)
        {
            ContainerReport report = containers[i].Report;
            usages.Add(new ContainerUsage(containers[i].Id, GroupReader.Read(containers[i].Cgroup.Folder), await layers[i])
            {
                OpenFilesLimit = report.State == GuestContainerState.Running ? GroupReader.OpenFilesLimit(report.Pid) : 0,
            });
        }

        string memory = await File.ReadAllTextAsync("/proc/meminfo");
        return new GuestStats
        {
            UnixNanoseconds = Clock.UnixNanoseconds(),
            BootNanoseconds = now,
            MemoryTotalBytes = KibibytesIn(memory, "MemTotal:") * 1024,
            MemoryAvailableBytes = KibibytesIn(memory, "MemAvailable:") * 1024,
            Interfaces = ParseInterfaces(await File.ReadAllTextAsync("/proc/net/dev")),
            Pod = pod,
            Containers = usages,
        };
    }

    /// <summary>The counters of /proc/net/dev, lo left out.</summary>
    internal static List<InterfaceCounters> ParseInterfaces(string text)
    {
        var interfaces = new List<InterfaceCounters>();
        foreach (string line in text.Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string[] fields = colon < 0 ? [] : line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string name = colon < 0 ? "" : line[..colon].Trim();
            if (fields.Length >= Columns && name != "lo")
            {
                interfaces.Add(new InterfaceCounters(name, Traffic(fields, 0), Traffic(fields, SentColumn)));
            }
        }

        return interfaces;

        static TrafficCounters Traffic(string[] fields, int from) => new(Number(fields[from]), Number(fields[from + 1]), Number(fields[from + 2]), Number(fields[from + 3]));

        static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);
    }

    private static long KibibytesIn(string text, string name)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
            {
                return long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).AsSpan().Trim(), CultureInfo.InvariantCulture);
            }
        }

        return 0;
    }
}
