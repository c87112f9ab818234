using System.Text.Json;
using CsCheck;
using Vks.Spherelet.Node;

namespace Vks.Tests.Spherelet.Doctor;

/// <summary>How facts become checks.</summary>
public sealed class NodeChecksTests
{
    private static readonly NodeFacts s_good = new()
    {
        IsRoot = true, IsKvm = true, AcceleratorReason = "a guest booted in 90 ms", QemuProgram = "qemu-system-x86_64", QemuVersion = "QEMU emulator version 7.2",
        QemuHasMicrovm = true, GuestDirectory = "/g", GuestFiles = [new GuestFileFact("vmlinux", true, "aa", "aa")], NetworkProblem = null, NetworkSource = "/etc/cni/net.d/10-x.conflist",
        ForwardsIpv4 = true, ForwardPolicy = "ACCEPT", RootDirectory = "/r", FreeMiB = 100_000, CgroupVersion = 2, CgroupControllers = ["cpu", "memory", "pids"],
        SocketPath = "/s", SocketAnswers = true, MissingPrograms = [], HasTun = true, FirstUserId = 2_000_000, UserIdClashes = [],
    };

    private static readonly Gen<NodeFacts> s_facts =
        Gen.Select(Gen.Bool.Array[8], Gen.Int[0, 2].Select(static pick => pick == 0 ? (bool?)null : pick == 1), Gen.Long[0, 100_000], Gen.Int[0, 2]).Select(static (flags, kvm, free, cgroup) => s_good with
        {
            IsRoot = flags[0], IsKvm = kvm, QemuVersion = flags[1] ? "QEMU 8" : null, QemuHasMicrovm = flags[2], NetworkProblem = flags[3] ? "no plugin" : null,
            ForwardsIpv4 = flags[4], ForwardPolicy = flags[5] ? "DROP" : null, FreeMiB = free == 0 ? null : free, CgroupVersion = cgroup,
            CgroupControllers = flags[6] ? ["cpu"] : [], HasTun = flags[7], SocketAnswers = flags[0], MissingPrograms = flags[1] ? [NodeChecks.Programs[0]] : [],
            UserIdClashes = flags[2] ? ["alice (/etc/subuid)"] : [],
            GuestFiles = [new GuestFileFact("vmlinux", flags[3], flags[4] ? "aa" : null, flags[3] ? (flags[5] ? "aa" : "bb") : null)],
        });

    [Fact]
    public void A_good_host_has_nothing_to_mend() =>
        Assert.All(NodeChecks.Evaluate(s_good), static result => Assert.Equal(CheckStatus.Ok, result.Status));

    [Fact]
    public void Every_check_of_any_host_says_what_was_found_and_what_to_do() => s_facts.Sample(static facts =>
    {
        IReadOnlyList<CheckResult> results = NodeChecks.Evaluate(facts);

        Assert.All(results, static result => Assert.True(result.Found.Length > 0 && result.Fix.Length > 10, result.Name));
        Assert.Equal(results.Count, results.Select(static result => result.Name).Distinct().Count());
    });

    [Fact]
    public void A_guest_file_that_differs_from_its_record_fails() =>
        Assert.Equal(CheckStatus.Fail, Status(s_good with { GuestFiles = [new GuestFileFact("vmlinux", true, "aa", "bb")] }, "guest"));

    [Fact]
    public void Emulation_is_a_warning_and_an_impossible_probe_a_failure()
    {
        Assert.Equal(CheckStatus.Warn, Status(s_good with { IsKvm = false }, "accelerator"));
        Assert.Equal(CheckStatus.Fail, Status(s_good with { IsKvm = null }, "accelerator"));
    }

    [Theory]
    [InlineData("alice:1999999:2", "alice (/etc/subuid)")]
    [InlineData("bob:2065535:1", "bob (/etc/subuid)")]
    public void A_user_id_range_that_overlaps_is_found(string subuid, string owner) =>
        Assert.Equal([owner], UserIdRanges.Clashes(2_000_000, "root:x:0:0::/:", subuid));

    [Theory]
    [InlineData("alice:1999999:1")]
    [InlineData("bob:2065536:1")]
    [InlineData("garbage\n:::\nx:y:z")]
    public void A_user_id_range_that_only_touches_is_not(string subuid) => Assert.Empty(UserIdRanges.Clashes(2_000_000, "", subuid));

    [Theory]
    [InlineData("""{"vmlinux":{"sha256":"aa"}}""")]
    [InlineData("""{"files":[{"name":"vmlinux","sha256":"aa"}]}""")]
    public void Hashes_are_read_from_artifacts_json(string json) => Assert.Equal("aa", GuestArtifacts.Read(json)["vmlinux"]);

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void The_exit_code_is_one_when_a_check_fails(bool failing, int exitCode)
    {
        using StringWriter table = new();
        using StringWriter json = new();
        IReadOnlyList<CheckResult> results = NodeChecks.Evaluate(s_good with { HasTun = !failing });

        Assert.Equal(exitCode, DoctorCommand.Show(results, json: false, table));
        Assert.Equal(exitCode, DoctorCommand.Show(results, json: true, json));

        using JsonDocument document = JsonDocument.Parse(json.ToString());
        Assert.Equal(results.Count, document.RootElement.GetArrayLength());
        Assert.Contains("accelerator", table.ToString(), StringComparison.Ordinal);
    }

    private static CheckStatus Status(NodeFacts facts, string name) => NodeChecks.Evaluate(facts).Single(result => result.Name == name).Status;
}
