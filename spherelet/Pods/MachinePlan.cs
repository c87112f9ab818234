using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>Turns what a pod was asked to be into a machine. Pure.</summary>
internal static class MachinePlan
{
    /// <summary>What kernel and agent take of any guest's memory, in MiB. Measured: 61 in one of 320, 62 and 22 that it keeps free in one of 1088.</summary>
    private const int GuestBaseMiB = 80;

    /// <summary>
    /// One part in so many of the limit is the kernel's beside that: half of it for its own word on each page (<c>struct page</c>, 64 bytes for 4096), the rest
    /// for tables that grow with the memory and what it keeps free. Measured in a guest of 4160 MiB: 207 taken, 44 kept free.
    /// </summary>
    private const int GuestShare = 32;

    /// <summary>Most vCPUs of a machine.</summary>
    public const int MaxVcpuCount = 64;

    /// <summary>Most memory of a machine in MiB.</summary>
    public const int MaxMemoryMiB = 1_048_576;

    private const long MiB = 1024 * 1024;

    /// <summary>The label under which a machine tells that it belongs to a pod.</summary>
    public const string PodLabel = "vks.pod";

    /// <summary>The label of a machine that ran before its pod came.</summary>
    public const string PooledLabel = "vks.pooled";

    /// <summary>SCSI serial by which the guest finds its scratch disk.</summary>
    public const string ScratchSerial = "scratch";

    /// <summary>Makes the spec.</summary>
    /// <param name="podId">64 hex digits.</param>
    /// <param name="config">The pod.</param>
    /// <param name="network">Where its network plugs in, or null for none.</param>
    /// <param name="shareDirectory">Host directory the guest sees.</param>
    /// <param name="options">Sizes of a pod that asks for none, and of its scratch disk.</param>
    /// <param name="host">The host: more than it has, only costs or cannot be had.</param>
    public static MachineSpec ToSpec(string podId, PodConfig config, NetworkAttachment? network, string? shareDirectory, PodOptions options, HostSize host) => new()
    {
        Id = MachineId.Parse(podId),
        VcpuCount = VcpuCount(config.Resources, config.Overhead, options.DefaultVcpuCount, host),
        MemoryMiB = MemoryMiB(config.Resources, config.Overhead, options.DefaultMemoryMiB, host),
        Network = network,
        ScratchMiB = options.ScratchMiB,
        SharedDirectory = shareDirectory,
        Isolated = config.RuntimeHandler == RuntimeHandlers.Isolated,
        Labels = new Dictionary<string, string>
        {
            [PodLabel] = podId,
            ["vks.pod.name"] = config.Name.Name,
            ["vks.pod.namespace"] = config.Name.Namespace,
        },
    };

    /// <summary>The CPU limit and overhead, rounded up to whole CPUs and at most those of the host; the default without a limit.</summary>
    public static int VcpuCount(ResourceLimits resources, ResourceLimits overhead, int defaultCount, HostSize host)
    {
        double limit = Cpus(resources);
        if (limit <= 0)
        {
            return defaultCount;
        }

        // A hair below the sum, so that 1.5 + 0.5 from binary fractions does not become three.
        double wanted = Math.Ceiling(limit + Cpus(overhead) - 1e-6);
        return (int)Math.Clamp(wanted, 1, Math.Clamp(host.CpuCount, 1, MaxVcpuCount));
    }

    /// <summary>
    /// The memory limit and what the guest itself takes, in whole MiB, and at most what the host has: limits may go beyond that, and no
    /// program could use it. The default without a limit.
    /// </summary>
    public static int MemoryMiB(ResourceLimits resources, ResourceLimits overhead, int defaultMiB, HostSize host)
    {
        if (resources.MemoryBytes <= 0)
        {
            return defaultMiB;
        }

        // UInt128 because both may be near the top of their range.
        UInt128 limit = (UInt128)resources.MemoryBytes;
        UInt128 extra = UInt128.Max((UInt128)Math.Max(0, overhead.MemoryBytes), (UInt128)(GuestBaseMiB * MiB) + (limit / GuestShare));
        UInt128 wanted = (limit + extra + (UInt128)(MiB - 1)) / (UInt128)MiB;
        return (int)UInt128.Clamp(wanted, 128, (UInt128)Math.Clamp(host.MemoryMiB, 128, MaxMemoryMiB));
    }

    /// <summary>The most that containers can be given of a machine's memory, in bytes: the limit that a machine of this size is made for.</summary>
    public static long MostBytes(int memoryMiB) => Math.Max(0, memoryMiB - GuestBaseMiB) * MiB / (GuestShare + 1) * GuestShare;

    private static double Cpus(ResourceLimits limits) =>
        limits.CpuQuotaMicroseconds > 0
            ? (double)limits.CpuQuotaMicroseconds / (limits.CpuPeriodMicroseconds > 0 ? limits.CpuPeriodMicroseconds : 100_000)
            : 0;
}
