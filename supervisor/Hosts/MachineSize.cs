using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Hosts;

/// <summary>How large the machine of a member is.</summary>
/// <param name="VcpuCount">Virtual CPUs.</param>
/// <param name="MemoryMiB">Memory in MiB.</param>
/// <param name="DiskMiB">Its persistent disk in MiB; sparse.</param>
internal sealed record MachineSize(int VcpuCount, int MemoryMiB, int DiskMiB)
{
    /// <summary>What fits a member's load. An idle member's programs take up to 1 GiB; what is more is for objects, watches and etcd's database.</summary>
    /// <param name="size">The member's size.</param>
    public static MachineSize Of(MemberSize size) => size switch
    {
        MemberSize.Tiny => new(2, 2048, 8192),
        MemberSize.Small => new(2, 4096, 16384),
        MemberSize.Medium => new(4, 8192, 32768),
        _ => new(8, 16384, 65536),
    };
}
