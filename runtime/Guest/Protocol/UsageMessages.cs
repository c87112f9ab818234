namespace Vks.Runtime.Guest.Protocol;

/// <summary>What the guest and each of its containers use, read in one go. Counters begin with the guest or with their container.</summary>
public sealed record GuestStats
{
    /// <summary>When it was read, by the guest's wall clock.</summary>
    public long UnixNanoseconds { get; init; }

    /// <summary>When it was read, by a clock that nobody sets (CLOCK_BOOTTIME): for rates.</summary>
    public long BootNanoseconds { get; init; }

    /// <summary>MemTotal of the guest.</summary>
    public long MemoryTotalBytes { get; init; }

    /// <summary>MemAvailable of the guest.</summary>
    public long MemoryAvailableBytes { get; init; }

    /// <summary>Counters by interface, lo left out.</summary>
    public required IReadOnlyList<InterfaceCounters> Interfaces { get; init; }

    /// <summary>All containers together; null before the first one was made.</summary>
    public GroupUsage? Pod { get; init; }

    /// <summary>Each container that is not deleted.</summary>
    public required IReadOnlyList<ContainerUsage> Containers { get; init; }
}

/// <summary>What one container uses.</summary>
/// <param name="ContainerId">The container.</param>
/// <param name="Group">Its cgroup; null when it has none, because it was not started or has ended.</param>
/// <param name="Layer">Its writable layer; null when it could not be measured yet.</param>
public sealed record ContainerUsage(string ContainerId, GroupUsage? Group, LayerUsage? Layer)
{
    /// <summary>How many files its first process may have open, the soft limit of /proc/PID/limits; 0 when it does not run.</summary>
    public long OpenFilesLimit { get; init; }
}

/// <summary>What a writable layer takes of its file system.</summary>
/// <param name="UnixNanoseconds">When it was measured: a large one is not measured at every call.</param>
/// <param name="Bytes">Blocks of its files and folders.</param>
/// <param name="Inodes">How many there are.</param>
public sealed record LayerUsage(long UnixNanoseconds, long Bytes, long Inodes)
{
    /// <summary>Files that its file system can have, 0 where that has no such limit.</summary>
    public long FileSystemInodes { get; init; }

    /// <summary>Those of them that are still free.</summary>
    public long FileSystemInodesFree { get; init; }
}

/// <summary>What a cgroup and those below it use: the files of cgroup v2 that are named at each field.</summary>
public sealed record GroupUsage
{
    /// <summary>cpu.stat usage_usec.</summary>
    public long CpuNanoseconds { get; init; }

    /// <summary>cpu.stat user_usec.</summary>
    public long CpuUserNanoseconds { get; init; }

    /// <summary>cpu.stat system_usec.</summary>
    public long CpuSystemNanoseconds { get; init; }

    /// <summary>cpu.stat nr_periods: periods of its CPU limit.</summary>
    public long CpuPeriods { get; init; }

    /// <summary>cpu.stat nr_throttled: periods in which the limit was met.</summary>
    public long CpuThrottledPeriods { get; init; }

    /// <summary>cpu.stat throttled_usec.</summary>
    public long CpuThrottledNanoseconds { get; init; }

    /// <summary>memory.current.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>memory.peak (Linux 5.19).</summary>
    public long MemoryPeakBytes { get; init; }

    /// <summary>memory.max, 0 for none.</summary>
    public long MemoryLimitBytes { get; init; }

    /// <summary>memory.low or memory.min, whichever is more: what others' need of memory does not take from it, 0 for none.</summary>
    public long MemoryReservedBytes { get; init; }

    /// <summary>memory.swap.current.</summary>
    public long SwapBytes { get; init; }

    /// <summary>memory.swap.max, 0 for none.</summary>
    public long SwapLimitBytes { get; init; }

    /// <summary>memory.stat anon: what CRI calls resident.</summary>
    public long AnonymousBytes { get; init; }

    /// <summary>memory.stat file: page cache.</summary>
    public long FileBytes { get; init; }

    /// <summary>memory.stat file_mapped.</summary>
    public long MappedFileBytes { get; init; }

    /// <summary>memory.stat kernel.</summary>
    public long KernelBytes { get; init; }

    /// <summary>memory.stat active_file.</summary>
    public long ActiveFileBytes { get; init; }

    /// <summary>memory.stat inactive_file: what the kernel can take back first, and so no part of the working set.</summary>
    public long InactiveFileBytes { get; init; }

    /// <summary>memory.stat pgfault.</summary>
    public long PageFaults { get; init; }

    /// <summary>memory.stat pgmajfault.</summary>
    public long MajorPageFaults { get; init; }

    /// <summary>memory.events max: how often the limit was met.</summary>
    public long MemoryLimitHits { get; init; }

    /// <summary>memory.events oom_kill: processes the kernel killed for want of memory.</summary>
    public long OutOfMemoryKills { get; init; }

    /// <summary>Processes.</summary>
    public long Processes { get; init; }

    /// <summary>pids.current: threads.</summary>
    public long Threads { get; init; }

    /// <summary>pids.max, 0 for none.</summary>
    public long ThreadsLimit { get; init; }

    /// <summary>Open files of its processes, by /proc/PID/fd; one that several processes share counts for each.</summary>
    public long FileDescriptors { get; init; }

    /// <summary>Those of them that are sockets.</summary>
    public long Sockets { get; init; }

    /// <summary>hugetlb.SIZE.current, by size; none when the guest has no huge pages.</summary>
    public IReadOnlyList<HugepageUsage> Hugepages { get; init; } = [];

    /// <summary>io.stat, by device.</summary>
    public IReadOnlyList<DeviceCounters> Devices { get; init; } = [];

    /// <summary>cpu.pressure; null when the kernel has none.</summary>
    public PressureStall? CpuPressure { get; init; }

    /// <summary>memory.pressure.</summary>
    public PressureStall? MemoryPressure { get; init; }

    /// <summary>io.pressure.</summary>
    public PressureStall? IoPressure { get; init; }
}

/// <summary>How long tasks were stalled for want of something.</summary>
/// <param name="Some">At least one of them.</param>
/// <param name="Full">All of them.</param>
public sealed record PressureStall(StallTimes Some, StallTimes Full);

/// <summary>One line of a pressure file.</summary>
/// <param name="Average10">Percent of the last 10 s.</param>
/// <param name="Average60">Percent of the last 60 s.</param>
/// <param name="Average300">Percent of the last 300 s.</param>
/// <param name="TotalMicroseconds">Since the group was made.</param>
public sealed record StallTimes(double Average10, double Average60, double Average300, long TotalMicroseconds);

/// <summary>What a group did with one block device.</summary>
/// <param name="Device">The kernel's name of it, <c>sda</c>.</param>
/// <param name="ReadBytes">Bytes read.</param>
/// <param name="WrittenBytes">Bytes written.</param>
/// <param name="Reads">Reads.</param>
/// <param name="Writes">Writes.</param>
public sealed record DeviceCounters(string Device, long ReadBytes, long WrittenBytes, long Reads, long Writes);

/// <summary>Huge pages of one size.</summary>
/// <param name="PageSize">As the kernel writes it, <c>2MB</c>.</param>
/// <param name="Bytes">In use.</param>
public sealed record HugepageUsage(string PageSize, long Bytes);

/// <summary>Counters of one interface.</summary>
/// <param name="Name">Interface name.</param>
/// <param name="Received">What came in.</param>
/// <param name="Sent">What went out.</param>
public sealed record InterfaceCounters(string Name, TrafficCounters Received, TrafficCounters Sent);

/// <summary>Traffic in one direction.</summary>
/// <param name="Bytes">Bytes.</param>
/// <param name="Packets">Packets.</param>
/// <param name="Errors">Packets that were faulty.</param>
/// <param name="Dropped">Packets that were let fall.</param>
public sealed record TrafficCounters(long Bytes, long Packets, long Errors, long Dropped);
