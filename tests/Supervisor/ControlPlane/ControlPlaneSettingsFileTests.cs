using Vks.Supervisor;
using Vks.Supervisor.ControlPlane;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>The file of a whole control plane, and what follows from it.</summary>
public sealed class ControlPlaneSettingsFileTests
{
    private const string ThreeZones = """
        name: demo
        replicas: 3
        firstAddress: 10.0.0.11
        prefix: 24
        gateway: 10.0.0.1
        link: eth0
        programs: /opt/kubernetes
        zones:
        - { name: a, hosts: [{ name: a1, reach: [ssh, root@a1] }, { name: a2, reach: [ssh, root@a2] }] }
        - { name: b, hosts: [{ name: b1, reach: [ssh, root@b1] }] }
        - { name: c, hosts: [{ name: c1, reach: [ssh, root@c1] }] }
        """;

    [Fact]
    public void Three_zones_have_a_member_each_and_five_addresses_follow_each_other()
    {
        ControlPlaneSettings settings = ControlPlaneSettingsFile.Parse(ThreeZones);

        Assert.Equal(
            ["demo-1 on a1 at 10.0.0.11", "demo-2 on b1 at 10.0.0.12", "demo-3 on c1 at 10.0.0.13"],
            ControlPlanePlan.Members(settings).Select(static member => $"{member.Name} on {member.Host.Name} at {member.Address}"));
        Assert.Equal(("10.0.0.14", "10.0.0.15"), (settings.FloatingAddress.ToString(), settings.PatchAddress.ToString()));
    }

    [Theory]
    [InlineData("replicas: 3", "replicas: 1", "three zones need three members, one in each")]
    [InlineData("replicas: 3", "replicas: 2", "choose 1 or 3")]
    [InlineData("firstAddress: 10.0.0.11", "firstAddress: 10.0.0.252", "it and the four after it, up to 10.0.1.0")]
    [InlineData("firstAddress: 10.0.0.11", "firstAddress: 10.0.0.251", "up to 10.0.0.255, must be hosts' addresses")]
    [InlineData("gateway: 10.0.0.1", "gateway: 10.0.0.14", "none of the five addresses 10.0.0.11 to 10.0.0.15")]
    [InlineData("name: b1", "name: a1", "has 'a1' more than once")]
    [InlineData("- { name: c, hosts: [{ name: c1, reach: [ssh, root@c1] }] }", "", "has 2 zones; a Supervisor has one or three")]
    [InlineData("link: eth0", "link: eth0\npods: 10.0.0.0/16", "have addresses in common")]
    [InlineData("reach: [ssh, root@b1]", "reach: [ssh, root@b1], spherelet: 'https://10.0.0.22:10260'", "a host is reached by one of them")]
    [InlineData("reach: [ssh, root@b1]", "spherelet: 'http://10.0.0.22:10260'", "https://ADDRESS:PORT")]
    [InlineData("link: eth0", "link: eth0\nmachine: { memoryMiB: 100 }", "no whole number from 1024")]
    [InlineData("programs: /opt/kubernetes", "", "programs is missing")]
    public void What_cannot_be_is_refused_with_the_reason(string right, string wrong, string told)
    {
        SupervisorException fault = Assert.Throws<SupervisorException>(() => ControlPlaneSettingsFile.Parse(ThreeZones.Replace(right, wrong, StringComparison.Ordinal)));

        Assert.Contains(told, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_member_that_is_a_machine_has_the_places_of_its_image_and_needs_no_programs_on_the_host()
    {
        ControlPlaneSettings settings = ControlPlaneSettingsFile.Parse("""
            name: demo
            replicas: 1
            size: tiny
            firstAddress: 10.0.0.11
            prefix: 24
            link: br0
            machine: { memoryMiB: 1536 }
            zones: [{ name: a, hosts: [{ name: a1, spherelet: "https://10.0.0.21:10260" }] }]
            """);
        PlannedMember member = Assert.Single(ControlPlanePlan.Members(settings));

        string text = ControlPlanePlan.Text(settings, member, [member.Peer], join: false);

        Assert.Equal("/var/lib/vks-member/demo-1/member.yaml", ControlPlanePlan.FileOf(settings, member));
        Assert.Contains("directory: /var/lib/vks-member/demo-1\n", text, StringComparison.Ordinal);
        Assert.Contains("programs: /usr/lib/vks/kubernetes\n", text, StringComparison.Ordinal);
        Assert.Contains("link: eth0\n", text, StringComparison.Ordinal);
        Assert.Equal(ControlPlanePlan.Shared(settings), ControlPlanePlan.Shared(settings with { Supervisor = "/where/apply/was/run/from" }));
        Assert.Equal((2, 1536, 8192), (settings.Machine.VcpuCount, settings.Machine.MemoryMiB, settings.Machine.DiskMiB));
    }
}
