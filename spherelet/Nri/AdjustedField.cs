namespace Vks.Spherelet.Nri;

/// <summary>What of a container plugins can change, by the numbers that judging plugins know (containerd/nri, api.proto, enum Field).</summary>
internal enum AdjustedField
{
    /// <summary>Annotations, each by itself.</summary>
    Annotations = 1,

    /// <summary>Mounts, each by itself.</summary>
    Mounts = 2,

    /// <summary>Devices, each by itself.</summary>
    Devices = 4,

    /// <summary>Variables, each by itself.</summary>
    Env = 6,

    /// <summary>Program and arguments.</summary>
    Args = 7,

    /// <summary>memory.limit.</summary>
    MemoryLimit = 8,

    /// <summary>memory.reservation.</summary>
    MemoryReservation = 9,

    /// <summary>memory.swap.</summary>
    MemorySwap = 10,

    /// <summary>memory.kernel.</summary>
    MemoryKernel = 11,

    /// <summary>memory.kernel_tcp.</summary>
    MemoryKernelTcp = 12,

    /// <summary>memory.swappiness.</summary>
    MemorySwappiness = 13,

    /// <summary>memory.disable_oom_killer.</summary>
    MemoryDisableOomKiller = 14,

    /// <summary>memory.use_hierarchy.</summary>
    MemoryUseHierarchy = 15,

    /// <summary>cpu.shares.</summary>
    CpuShares = 16,

    /// <summary>cpu.quota.</summary>
    CpuQuota = 17,

    /// <summary>cpu.period.</summary>
    CpuPeriod = 18,

    /// <summary>cpu.realtime_runtime.</summary>
    CpuRealtimeRuntime = 19,

    /// <summary>cpu.realtime_period.</summary>
    CpuRealtimePeriod = 20,

    /// <summary>cpu.cpus.</summary>
    CpusetCpus = 21,

    /// <summary>cpu.mems.</summary>
    CpusetMems = 22,

    /// <summary>pids.limit.</summary>
    PidsLimit = 23,

    /// <summary>Limits of huge pages, each size by itself.</summary>
    HugepageLimits = 24,

    /// <summary>blockio_class.</summary>
    BlockioClass = 25,

    /// <summary>rdt_class.</summary>
    RdtClass = 26,

    /// <summary>Files of cgroup v2, each by itself.</summary>
    Unified = 27,

    /// <summary>oom_score_adj.</summary>
    OomScoreAdjust = 29,

    /// <summary>Limits of setrlimit(2), each by itself.</summary>
    Rlimits = 30,

    /// <summary>seccomp_policy.</summary>
    SeccompPolicy = 32,
}
