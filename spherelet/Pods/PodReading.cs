using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>What a pod's guest used at one moment.</summary>
/// <param name="Sandbox">The pod.</param>
/// <param name="UnixNanoseconds">The host's time of the answer.</param>
/// <param name="Guest">What the guest told.</param>
/// <param name="NanoCores">Billionths of a CPU over a short while, by container id, and by pod id for all of them; absent when no earlier reading is known.</param>
internal sealed record PodReading(PodSandbox Sandbox, long UnixNanoseconds, GuestStats Guest, IReadOnlyDictionary<string, long> NanoCores)
{
    private static readonly GroupUsage s_nothing = new();

    /// <summary>All containers of the pod; zeros before the first.</summary>
    public GroupUsage Pod => Guest.Pod ?? s_nothing;

    /// <summary>Host memory beyond what the containers use, in bytes: QEMU, the guest's kernel and agent, and what the guest does not use now.</summary>
    /// <param name="host">What the pod's QEMU takes.</param>
    public long OverheadBytes(HostUsage host) => Math.Max(0, host.ProportionalBytes - Pod.MemoryBytes);

    /// <summary>One container; null when the guest has it no more.</summary>
    public ContainerUsage? Container(string id) => Guest.Containers.FirstOrDefault(container => container.ContainerId == id);

    /// <summary>The memory a group can come to: its own limit, its pod's or the machine's, whichever is least.</summary>
    public long MemoryLimitBytes(GroupUsage group) =>
        new[] { group.MemoryLimitBytes, Pod.MemoryLimitBytes, Guest.MemoryTotalBytes }.Where(static limit => limit > 0).DefaultIfEmpty(0).Min();
}
