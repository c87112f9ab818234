namespace Vks.Spherelet.Overhead;

/// <summary>What a pod costs the host beyond what runs in it.</summary>
/// <param name="MemoryBytes">Bytes of host memory, a multiple of 8 MiB.</param>
/// <param name="CpuMillis">Thousandths of a CPU, a multiple of 5.</param>
internal readonly record struct PodOverhead(long MemoryBytes, long CpuMillis);
