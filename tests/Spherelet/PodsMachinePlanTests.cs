using CsCheck;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>How limits become a machine.</summary>
public sealed class PodsMachinePlanTests
{
    private const long MiB = 1024 * 1024;

    private static readonly HostSize s_host = new(CpuCount: 8, MemoryMiB: 32_000);

    private static readonly Gen<ResourceLimits> s_limits = Gen.Select(
        Gen.Long[0, 200_000_000], Gen.Long[0, 1_000_000], Gen.OneOf(Gen.Long[0, 4096 * MiB], Gen.Long[0, long.MaxValue]),
        (quota, period, memory) => new ResourceLimits { CpuQuotaMicroseconds = quota, CpuPeriodMicroseconds = period, MemoryBytes = memory });

    [Fact]
    public void A_pod_without_limits_gets_the_defaults()
    {
        MachineSpec spec = Plan(new ResourceLimits(), new ResourceLimits());

        Assert.Equal((1, 512), (spec.VcpuCount, spec.MemoryMiB));
    }

    [Theory]
    [InlineData(100_000, 0, 1)]
    [InlineData(100_001, 0, 2)]
    [InlineData(150_000, 50_000, 2)]
    [InlineData(250_000, 0, 3)]
    [InlineData(1_000, 0, 1)]
    [InlineData(9_900_000, 0, 8)]
    public void CPU_limit_and_overhead_are_rounded_up_to_at_most_the_hosts(long quota, long overhead, int vcpus) =>
        Assert.Equal(vcpus, Plan(
            new ResourceLimits { CpuQuotaMicroseconds = quota, CpuPeriodMicroseconds = 100_000 },
            new ResourceLimits { CpuQuotaMicroseconds = overhead, CpuPeriodMicroseconds = 100_000 }).VcpuCount);

    [Theory]
    [InlineData(256, 0, 344)]
    [InlineData(8192, 0, 8528)]
    [InlineData(8192, 96, 8528)]
    [InlineData(256, 128, 384)]
    [InlineData(16, 0, 128)]
    public void Memory_limit_gets_room_for_the_guest_itself(long limitMiB, long overheadMiB, int memoryMiB) =>
        Assert.Equal(memoryMiB, Plan(new ResourceLimits { MemoryBytes = limitMiB * MiB }, new ResourceLimits { MemoryBytes = overheadMiB * MiB }).MemoryMiB);

    [Fact]
    public void Whatever_the_limits_the_machine_is_one_the_engine_accepts_and_holds_what_was_asked_for() =>
        Gen.Select(s_limits, s_limits).Sample((resources, overhead) =>
        {
            MachineSpec spec = Plan(resources, overhead);

            Assert.InRange(spec.VcpuCount, 1, 64);
            Assert.InRange(spec.MemoryMiB, 96, s_host.MemoryMiB);
            Assert.True(spec.MemoryMiB == s_host.MemoryMiB || resources.MemoryBytes == 0 || spec.MemoryMiB * MiB >= resources.MemoryBytes);
        });

    [Fact]
    public void A_machine_can_give_the_limit_it_was_made_for_and_hardly_more() => Gen.Int[80, 30_000].Sample(limitMiB =>
        Assert.InRange(MachinePlan.MostBytes(Plan(new ResourceLimits { MemoryBytes = limitMiB * MiB }, new ResourceLimits()).MemoryMiB) - (limitMiB * MiB), 0, 2 * MiB));

    [Fact]
    public void More_is_never_less() =>
        Gen.Select(s_limits, s_limits, s_limits).Sample((low, more, overhead) =>
        {
            if (low.MemoryBytes > 0 && low.CpuQuotaMicroseconds > 0)
            {
                var high = low with
                {
                    MemoryBytes = low.MemoryBytes + Math.Min(more.MemoryBytes, long.MaxValue - low.MemoryBytes),
                    CpuQuotaMicroseconds = low.CpuQuotaMicroseconds + more.CpuQuotaMicroseconds,
                };

                Assert.True(Plan(high, overhead).MemoryMiB >= Plan(low, overhead).MemoryMiB);
                Assert.True(Plan(high, overhead).VcpuCount >= Plan(low, overhead).VcpuCount);
            }
        });

    private static MachineSpec Plan(ResourceLimits resources, ResourceLimits overhead)
    {
        var config = new PodConfig
        {
            Name = new PodName("web", "default", "uid", 0),
            Hostname = "web",
            Resources = resources,
            Overhead = overhead,
        };
        return MachinePlan.ToSpec(PodId.New(), config, network: null, shareDirectory: null, new PodOptions(), s_host);
    }
}
