using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Pods;
using V1 = Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Spherelet;

/// <summary>What becomes of limits when some of them change.</summary>
public sealed class PodsResourceChangeTests
{
    private static readonly ResourceLimits s_present = new()
    {
        CpuShares = 512, CpuQuotaMicroseconds = 10_000, CpuPeriodMicroseconds = 50_000, CpusetCpus = "0", MemoryBytes = 1000, MemorySwapBytes = 1000,
        HugepageLimits = [new HugepageLimit("2MB", 1), new HugepageLimit("1GB", 2)],
        Unified = new Dictionary<string, string> { ["pids.max"] = "5", ["memory.high"] = "900" },
    };

    [Fact]
    public void What_is_not_said_stays()
    {
        ResourceLimits same = ResourceChange.Apply(s_present, ResourceConversion.ReadChange(null));

        Assert.Equivalent(s_present, same, strict: true);
        Assert.Equivalent(s_present, ResourceChange.Apply(s_present, ResourceConversion.ReadChange(new V1.LinuxContainerResources())), strict: true);
    }

    [Fact]
    public void What_is_said_changes_and_minus_one_takes_a_limit_away()
    {
        ResourceLimits changed = ResourceChange.Apply(s_present, ResourceConversion.ReadChange(new V1.LinuxContainerResources
        {
            CpuShares = 1, CpuQuota = -1, MemoryLimitInBytes = -5, MemorySwapLimitInBytes = -1, CpusetCpus = "1",
            HugepageLimits = { new V1.HugepageLimit { PageSize = "1GB", Limit = 7 } },
            Unified = { ["memory.high"] = "max" },
        }));

        Assert.Equal((2, 0, 50_000, 0, 0, "1"), (changed.CpuShares, changed.CpuQuotaMicroseconds, changed.CpuPeriodMicroseconds, changed.MemoryBytes, changed.MemorySwapBytes, changed.CpusetCpus));
        Assert.Equal([new HugepageLimit("2MB", 1), new HugepageLimit("1GB", 7)], changed.HugepageLimits);
        Assert.Equal("5 max", $"{changed.Unified["pids.max"]} {changed.Unified["memory.high"]}");
    }

    [Fact]
    public void Swap_follows_memory_that_grows_beyond_it_and_contradictions_are_refused()
    {
        Assert.Equal(2000, ResourceChange.Apply(s_present, new ResourceLimits { MemoryBytes = 2000 }).MemorySwapBytes);
        Assert.Equal(1000, ResourceChange.Apply(s_present, new ResourceLimits { MemoryBytes = 700 }).MemorySwapBytes);
        PodException refused = Assert.Throws<PodException>(() => ResourceChange.Apply(s_present, new ResourceLimits { MemoryBytes = 2000, MemorySwapBytes = 1500 }));
        Assert.Equal(PodFault.InvalidConfig, refused.Fault);
    }

    [Theory]
    [InlineData("cgroup.procs", "1")]
    [InlineData("cgroup.kill", "1")]
    [InlineData("../memory.max", "1")]
    [InlineData("memory.high", "1\n2")]
    public void Files_that_are_no_limits_and_values_of_several_lines_are_refused(string file, string value)
    {
        PodException refused = Assert.Throws<PodException>(() => ResourceConversion.ReadChange(new V1.LinuxContainerResources { Unified = { [file] = value } }));

        Assert.Equal(PodFault.InvalidConfig, refused.Fault);
        Assert.Contains("unified", refused.Message, StringComparison.Ordinal);
    }
}
