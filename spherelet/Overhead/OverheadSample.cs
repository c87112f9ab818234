namespace Vks.Spherelet.Overhead;

/// <summary>One pod at one moment.</summary>
/// <param name="PodId">The pod.</param>
/// <param name="MemoryBytes">Host memory beyond what its containers use.</param>
/// <param name="HostCpu">CPU time of its QEMU so far.</param>
/// <param name="ContainersCpu">CPU time of its containers so far, as the guest counts it.</param>
internal readonly record struct OverheadSample(string PodId, long MemoryBytes, TimeSpan HostCpu, TimeSpan ContainersCpu);
