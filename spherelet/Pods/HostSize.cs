using System.Globalization;

namespace Vks.Spherelet.Pods;

/// <summary>What the host has: no machine can have more of it.</summary>
/// <param name="CpuCount">CPUs.</param>
/// <param name="MemoryMiB">Memory in MiB.</param>
internal sealed record HostSize(int CpuCount, int MemoryMiB)
{
    /// <summary>This host's.</summary>
    public static HostSize Here { get; } = new(Environment.ProcessorCount, ReadMemoryMiB());

    /// <summary>MemTotal of proc_meminfo(5), which is in KiB.</summary>
    private static int ReadMemoryMiB()
    {
        string line = File.ReadLines("/proc/meminfo").First(static line => line.StartsWith("MemTotal:", StringComparison.Ordinal));
        return (int)(long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024);
    }
}
