using k8s.Models;

namespace Vks.Supervisor.Zones;

/// <summary>What a pod asks of its host: as kube-scheduler counts it, overhead included.</summary>
/// <param name="CpuMillis">Thousandths of a CPU.</param>
/// <param name="MemoryBytes">Bytes.</param>
/// <param name="OverheadMillis">Thousandths of a CPU of the above that are overhead.</param>
/// <param name="OverheadBytes">Bytes of the above that are overhead.</param>
internal readonly record struct PodRequest(long CpuMillis, long MemoryBytes, long OverheadMillis, long OverheadBytes)
{
    /// <summary>What a pod asks for: the sum of its containers or the largest of its init containers, plus what restarts beside them, plus overhead.</summary>
    public static PodRequest Of(V1Pod pod)
    {
        (long overheadCpu, long overheadMemory) = Read(pod.Spec.Overhead);
        return new PodRequest(
            Amount(pod, "cpu", 1000) + overheadCpu, Amount(pod, "memory", 1) + overheadMemory, overheadCpu, overheadMemory);
    }

    /// <summary>Thousandths of a CPU, rounded up.</summary>
    public static long Millis(ResourceQuantity? quantity) => quantity is null ? 0 : (long)Math.Ceiling(quantity.ToDecimal() * 1000);

    /// <summary>Whole units, rounded up.</summary>
    public static long Units(ResourceQuantity? quantity) => quantity is null ? 0 : (long)Math.Ceiling(quantity.ToDecimal());

    private static (long Cpu, long Memory) Read(IDictionary<string, ResourceQuantity>? amounts) =>
        (Millis(amounts?.TryGetValue("cpu", out ResourceQuantity? cpu) == true ? cpu : null), Units(amounts?.TryGetValue("memory", out ResourceQuantity? memory) == true ? memory : null));

    private static long Amount(V1Pod pod, string resource, int scale)
    {
        long containers = pod.Spec.Containers.Sum(container => One(container, resource, scale));
        long beside = 0;
        long peak = 0;
        foreach (V1Container init in pod.Spec.InitContainers ?? [])
        {
            // One that restarts for ever stays beside all that follow.
            long own = One(init, resource, scale);
            if (init.RestartPolicy == "Always")
            {
                beside += own;
                peak = Math.Max(peak, beside);
            }
            else
            {
                peak = Math.Max(peak, beside + own);
            }
        }

        return Math.Max(containers + beside, peak);
    }

    private static long One(V1Container container, string resource, int scale) =>
        container.Resources?.Requests?.TryGetValue(resource, out ResourceQuantity? amount) == true ? (long)Math.Ceiling(amount.ToDecimal() * scale) : 0;
}
