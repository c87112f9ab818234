using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>What the machine of one pod takes of the host, and how much of it its containers use.</summary>
/// <param name="Sandbox">The pod.</param>
/// <param name="Host">What its QEMU takes, the guest included.</param>
/// <param name="Reading">What its guest told, or null when it did not answer in time.</param>
internal sealed record PodCost(PodSandbox Sandbox, HostUsage Host, PodReading? Reading)
{
    /// <summary>As <see cref="PodReading.OverheadBytes"/>; null when the guest is silent.</summary>
    public long? OverheadBytes => Reading?.OverheadBytes(Host);
}
