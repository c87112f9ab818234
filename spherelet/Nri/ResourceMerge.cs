using Vks.Spherelet.Nri.Wire;

namespace Vks.Spherelet.Nri;

/// <summary>Brings limits that a plugin asks for together with those of others. Pure.</summary>
internal static class ResourceMerge
{
    /// <summary>Sets in one what the other names.</summary>
    /// <param name="from">What a plugin asks for.</param>
    /// <param name="into">Where it is set.</param>
    /// <param name="claim">Told of each field before it is set, with the key of one that has many.</param>
    public static void Apply(LinuxResources from, LinuxResources into, Action<AdjustedField, string?> claim)
    {
        Memory(from.Memory, into, claim);
        Cpu(from.Cpu, into, claim);
        if (Claimed(from.Pids, AdjustedField.PidsLimit, claim))
        {
            into.Pids = from.Pids.Clone();
        }

        foreach (HugepageLimit limit in from.HugepageLimits)
        {
            claim(AdjustedField.HugepageLimits, limit.PageSize);
            Remove(into.HugepageLimits, other => other.PageSize == limit.PageSize);
            into.HugepageLimits.Add(limit.Clone());
        }

        foreach ((string file, string value) in from.Unified)
        {
            claim(AdjustedField.Unified, file);
            into.Unified[file] = value;
        }

        if (Claimed(from.BlockioClass, AdjustedField.BlockioClass, claim))
        {
            into.BlockioClass = from.BlockioClass.Clone();
        }

        if (Claimed(from.RdtClass, AdjustedField.RdtClass, claim))
        {
            into.RdtClass = from.RdtClass.Clone();
        }
    }

    /// <summary>Takes items out of a list.</summary>
    internal static void Remove<T>(Google.Protobuf.Collections.RepeatedField<T> items, Func<T, bool> which)
    {
        for (int i = items.Count - 1; i >= 0; i--)
        {
            if (which(items[i]))
            {
                items.RemoveAt(i);
            }
        }
    }

    private static void Memory(LinuxMemory? from, LinuxResources into, Action<AdjustedField, string?> claim)
    {
        if (from is null)
        {
            return;
        }

        LinuxMemory memory = into.Memory ??= new LinuxMemory();
        memory.Limit = Either(from.Limit, memory.Limit, AdjustedField.MemoryLimit, claim);
        memory.Reservation = Either(from.Reservation, memory.Reservation, AdjustedField.MemoryReservation, claim);
        memory.Swap = Either(from.Swap, memory.Swap, AdjustedField.MemorySwap, claim);
        memory.Kernel = Either(from.Kernel, memory.Kernel, AdjustedField.MemoryKernel, claim);
        memory.KernelTcp = Either(from.KernelTcp, memory.KernelTcp, AdjustedField.MemoryKernelTcp, claim);
        memory.Swappiness = Either(from.Swappiness, memory.Swappiness, AdjustedField.MemorySwappiness, claim);
        memory.DisableOomKiller = Either(from.DisableOomKiller, memory.DisableOomKiller, AdjustedField.MemoryDisableOomKiller, claim);
        memory.UseHierarchy = Either(from.UseHierarchy, memory.UseHierarchy, AdjustedField.MemoryUseHierarchy, claim);
    }

    private static void Cpu(LinuxCPU? from, LinuxResources into, Action<AdjustedField, string?> claim)
    {
        if (from is null)
        {
            return;
        }

        LinuxCPU cpu = into.Cpu ??= new LinuxCPU();
        cpu.Shares = Either(from.Shares, cpu.Shares, AdjustedField.CpuShares, claim);
        cpu.Quota = Either(from.Quota, cpu.Quota, AdjustedField.CpuQuota, claim);
        cpu.Period = Either(from.Period, cpu.Period, AdjustedField.CpuPeriod, claim);
        cpu.RealtimeRuntime = Either(from.RealtimeRuntime, cpu.RealtimeRuntime, AdjustedField.CpuRealtimeRuntime, claim);
        cpu.RealtimePeriod = Either(from.RealtimePeriod, cpu.RealtimePeriod, AdjustedField.CpuRealtimePeriod, claim);
        cpu.Cpus = Either(from.Cpus.Length > 0 ? from.Cpus : null, cpu.Cpus, AdjustedField.CpusetCpus, claim);
        cpu.Mems = Either(from.Mems.Length > 0 ? from.Mems : null, cpu.Mems, AdjustedField.CpusetMems, claim);
    }

    private static T Either<T>(T? asked, T present, AdjustedField field, Action<AdjustedField, string?> claim)
        where T : class =>
        Claimed(asked, field, claim) ? asked! : present;

    private static bool Claimed(object? asked, AdjustedField field, Action<AdjustedField, string?> claim)
    {
        if (asked is null)
        {
            return false;
        }

        claim(field, null);
        return true;
    }
}
