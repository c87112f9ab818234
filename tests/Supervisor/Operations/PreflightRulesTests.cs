using System.Net;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Operations;

namespace Vks.Tests.Supervisor.Operations;

/// <summary>What keeps a control plane from working, and how it is told.</summary>
public sealed class PreflightRulesTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly PreflightPlan s_plan = new(
        IPNetwork.Parse("10.0.0.0/24"), "eth0", new Dictionary<IPAddress, string> { [IPAddress.Parse("10.0.0.14")] = "the floating address" }, [("services", IPNetwork.Parse("10.96.0.0/16"))]);

    private static readonly HostFacts s_good = new()
    {
        HostName = "a", OwnNameAddresses = ["10.0.0.1"], Clock = s_now, ClockErrorSeconds = 0, Mtu = 1500, LinkUp = true, RpFilter = 2, Routes = [new HostRoute("10.0.0.0/24", "eth0")],
        LinkAddresses = ["10.0.0.1"], Names = new Dictionary<string, string>(), Taken = new Dictionary<string, string>(), MissingPrograms = [], FreeBytes = 100L << 30,
    };

    public static TheoryData<string, string, string> Bad => new()
    {
        { "hostname", "localhost", "hostnamectl set-hostname h0" }, { "mtu", "1200", "ip link set eth0 mtu 1500" }, { "rp_filter", "strict", "net.ipv4.conf.all.rp_filter=2" },
        { "duplicate address", "10.0.0.14, which is to be the floating address", "choose five others" }, { "ranges", "services 10.96.0.0/16 overlaps with 10.96.4.0/24", "another range" },
        { "dns", "registry.example", "/etc/resolv.conf" }, { "clock", "differs from this host's by 30.0 s", "chrony" }, { "programs", "it has no /x/etcd", "apt-get install etcd-server" },
        { "link", "no link 'eth0'", "ip -br link" }, { "disk", "10 MiB are free", "another directory" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Each_trouble_is_found_with_its_values_and_its_fix(string check, string what, string fix)
    {
        HostFacts bad = check switch
        {
            "hostname" => s_good with { HostName = "localhost" },
            "mtu" => s_good with { Mtu = 1200 },
            "rp_filter" => s_good with { RpFilter = 1 },
            "duplicate address" => s_good with { Taken = new Dictionary<string, string> { ["10.0.0.14"] = "02:00:00:00:00:01" } },
            "ranges" => s_good with { Routes = [new HostRoute("10.96.4.0/24", "docker0")] },
            "dns" => s_good with { Names = new Dictionary<string, string> { ["registry.example"] = "" } },
            "clock" => s_good with { Clock = s_now + TimeSpan.FromSeconds(31) },
            "programs" => s_good with { MissingPrograms = ["/x/etcd"] },
            "link" => s_good with { Mtu = null },
            _ => s_good with { FreeBytes = 10 << 20 },
        };

        Finding finding = Assert.Single(Judge(bad));

        Assert.Equal(check, finding.Check);
        Assert.Contains(what, finding.What, StringComparison.Ordinal);
        Assert.Contains(fix, finding.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void A_good_host_has_no_findings() => Assert.Empty(Judge(s_good));

    [Fact]
    public void Hosts_of_one_name_and_networks_of_two_MTUs_are_found_among_all()
    {
        IReadOnlyList<Finding> findings = Judge(s_good, s_good with { Mtu = 9000 });

        Assert.Equal(["hostname", "mtu"], findings.Select(static finding => finding.Check));
        Assert.Contains("hosts h0, h1 all call themselves 'a'", findings[0].What, StringComparison.Ordinal);
        Assert.Contains("1500 on h0; 9000 on h1", findings[1].What, StringComparison.Ordinal);
    }

    private static IReadOnlyList<Finding> Judge(params HostFacts[] hosts) =>
        PreflightRules.Judge(s_plan, hosts.Select((facts, index) => ($"h{index}", facts)).ToDictionary(static host => host.Item1, static host => new AskedHost(host.facts, s_now, s_now + TimeSpan.FromSeconds(1))));
}
