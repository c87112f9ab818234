using CsCheck;
using Vks.Spherelet.Machines;

namespace Vks.Tests.Spherelet.Machines;

/// <summary>What may be asked of machines that are kept running.</summary>
public sealed class KeptMachineRulesTests
{
    private static readonly KeptMachineSettings s_good = new()
    {
        VcpuCount = 2,
        MemoryMiB = 2048,
        DiskMiB = 8192,
        Link = "br0",
        Addresses = ["10.0.0.11/24", "fd00::11/64"],
        Gateway = "10.0.0.1",
        SettingsFile = "/var/lib/vks-member/demo-1/member.yaml",
    };

    [Theory]
    [InlineData("demo-1/pki/ca.crt", true)]
    [InlineData("a", true)]
    [InlineData("..a/b", true)]
    [InlineData("", false)]
    [InlineData("/etc/passwd", false)]
    [InlineData("../machine.json", false)]
    [InlineData("demo-1/../../machine.json", false)]
    [InlineData("demo-1/./a", false)]
    [InlineData("demo-1//a", false)]
    [InlineData("demo-1/", false)]
    [InlineData("a b", false)]
    [InlineData("a\n", false)]
    [InlineData("a~new", false)]
    public void A_path_is_taken_only_when_it_stays_below_the_disk(string path, bool taken)
    {
        Exception? refused = Record.Exception(() => KeptMachineRules.CheckPath("demo-1", path));

        Assert.Equal(taken, refused is null);
        Assert.True(taken || refused is KeptMachineException { Fault: KeptMachineFault.Invalid });
    }

    [Fact]
    public void Whatever_path_is_taken_its_file_is_below_the_folder_of_files() => Gen.String[Gen.Char["abz019._-/~ \n\\"], 0, 24].Sample(path =>
    {
        bool taken = Record.Exception(() => KeptMachineRules.CheckPath("demo-1", path)) is null;
        const string Root = "/var/lib/vks/kept/demo-1/files";

        Assert.True(!taken || Path.GetFullPath(Path.Combine(Root, path)) == $"{Root}/{path}", path);
    });

    [Theory]
    [InlineData("demo-1", true)]
    [InlineData("", false)]
    [InlineData("Demo", false)]
    [InlineData("-a", false)]
    [InlineData("a/b", false)]
    [InlineData("..", false)]
    public void A_machine_is_named_by_a_DNS_label(string name, bool taken) =>
        Assert.Equal(taken, Record.Exception(() => KeptMachineRules.CheckName(name)) is null);

    [Fact]
    public void All_faults_of_the_settings_are_told_at_once()
    {
        KeptMachineSettings bad = s_good with
        {
            VcpuCount = 65, MemoryMiB = 100, DiskMiB = 1, Link = "br0; reboot", Addresses = ["10.0.0.11", "10.0.0.11/33"], Gateway = "x", SettingsFile = "/etc/passwd",
        };

        Assert.Empty(KeptMachineRules.FaultsOf(s_good));
        Assert.Equal(8, KeptMachineRules.FaultsOf(bad).Count);
    }
}
