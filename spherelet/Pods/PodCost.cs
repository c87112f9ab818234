using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>What the machine of one pod takes of the host, and how much of it its containers use.</summary>
/// <param name="Sandbox">The pod.</param>
/// <param name="Host">What its QEMU takes, the guest included.</param>
/// <param name="Reading">What its guest told, or null when it did not answer in time.</param>
internal sealed record PodCost(PodSandbox Sandbox, HostUsage Host, PodReading? Reading)
{
    /// <summary>Host memory beyond what the containers use, in bytes: QEMU, the guest's kernel and agent, and what the guest does not use now. Null when the guest is silent.</summary>
    public long? OverheadBytes => Reading is null ? null : Math.Max(0, Host.ProportionalBytes - Reading.Pod.MemoryBytes);
}
