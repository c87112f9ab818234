using CsCheck;
using Vks.Runtime.Machines;

namespace Vks.Tests.Runtime;

public sealed class MachineSpecRulesTests
{
    private static readonly MachineSpec Good = new() { Id = MachineId.Parse("good") };
    private static readonly NetworkAttachment Net = new("/run/netns/x", "tap0", "02:11:22:33:44:55", 1500);

    [Fact]
    public void A_spec_within_the_limits_has_no_fault() =>
        Gen.Select(Gen.Int[1, 64], Gen.Int[96, 1_048_576], Gen.OneOf(Gen.Const(0), Gen.Int[16, 1 << 24]), Gen.Int[68, 65535]).Sample((cpus, memory, scratch, mtu) =>
            MachineSpecRules.FaultsOf(Good with
            {
                VcpuCount = cpus, MemoryMiB = memory, ScratchMiB = scratch, SharedDirectory = "/srv", Network = Net with { Mtu = mtu },
            }).Count == 0);

    [Fact]
    public void Every_fault_is_told_at_once()
    {
        IReadOnlyList<string> faults = MachineSpecRules.FaultsOf(new MachineSpec
        {
            Id = default, VcpuCount = 0, MemoryMiB = 95, ScratchMiB = 15, SharedDirectory = "srv",
            Network = new NetworkAttachment("netns", "a-name-of-16-chr", "03:11:22:33:44:55", 67),
        });

        Assert.Equal(9, faults.Count);
        Assert.Contains(faults, fault => fault == "VcpuCount 0 is not in 1 to 64");
        Assert.Contains(faults, fault => fault.Contains("multicast", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a-serial-of-21-chars-")]
    [InlineData("ser ial")]
    [InlineData("serial\n")]
    [InlineData("scratch")]
    [InlineData("a,b")]
    public void A_serial_that_breaks_the_rule_is_refused(string serial) =>
        Assert.Single(MachineSpecRules.FaultsOf(new DiskAttachment(serial, "/disk", true)));

    [Theory]
    [InlineData("")]
    [InlineData("UPPER")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("line\n")]
    [InlineData(null)]
    public void An_id_that_is_not_safe_in_a_path_is_no_id(string? text) => Assert.False(MachineId.TryParse(text, out _));
}
