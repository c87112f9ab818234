using System.Net;
using System.Net.NetworkInformation;
using Vks.Supervisor.Network;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.FloatingAddress;

/// <summary>Frames that tell whose an address is, and what the kernel makes of them.</summary>
public sealed class NeighbourFramesTests
{
    private static readonly PhysicalAddress s_hardware = PhysicalAddress.Parse("02-00-00-00-00-77");

    [Theory]
    [InlineData("10.78.0.9", "-4")]
    [InlineData("fd78::9", "-6")]
    public async Task A_neighbour_that_knew_another_place_for_an_address_learns_the_new_one(string address, string family)
    {
        await using TestHosts hosts = await TestHosts.CreateAsync(1);
        await AddAsync(hosts.Fabric, family, family == "-4" ? "10.78.0.253/24" : "fd78::253/64", "bridge");
        await TestHosts.InAsync(hosts.Fabric, "ip", family, "neighbour", "replace", address, "lladdr", "02:00:00:00:00:01", "dev", "bridge", "nud", "stale");

        // The kernel takes no word against an entry that is younger than a second (locktime of arp(7)).
        await Task.Delay(TimeSpan.FromSeconds(1.1), TestContext.Current.CancellationToken);
        using PacketSocket socket = await TestHosts.WithinAsync(hosts.Host(1), static () => PacketSocket.Open(TestHosts.Link, receive: false));
        socket.Send(NeighbourFrames.Announcement(IPAddress.Parse(address), s_hardware));

        await WaitAsync(async () => (await TestHosts.InAsync(hosts.Fabric, "ip", family, "neighbour", "show", address)).Contains("02:00:00:00:00:77", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("10.78.0.9", "10.78.0.9/24", "-4")]
    [InlineData("fd78::9", "fd78::9/64", "-6")]
    public async Task A_probe_finds_the_host_that_has_an_address_and_no_other(string address, string onLink, string family)
    {
        await using TestHosts hosts = await TestHosts.CreateAsync(2);
        await AddAsync(hosts.Host(1), family, onLink, TestHosts.Link);
        IPAddress taken = IPAddress.Parse(address);
        IPAddress free = IPAddress.Parse(address + "9");

        IReadOnlyDictionary<IPAddress, PhysicalAddress> found = await await TestHosts.WithinAsync(
            hosts.Host(2), () => AddressProbe.FindAsync(TestHosts.Link, [taken, free], TimeProvider.System, CancellationToken.None));

        Assert.Equal([taken], found.Keys);
        Assert.Equal(await hosts.HardwareAsync(1), found[taken]);
    }

    [Fact]
    public void A_probe_claims_nothing()
    {
        IPAddress address = IPAddress.Parse("10.0.0.9");

        Assert.Null(NeighbourFrames.Claimant(NeighbourFrames.Probe(address, s_hardware), address));
        Assert.Equal(s_hardware, NeighbourFrames.Claimant(NeighbourFrames.Announcement(address, s_hardware), address));
        Assert.Null(NeighbourFrames.Claimant(NeighbourFrames.Announcement(address, s_hardware), IPAddress.Parse("10.0.0.8")));
        Assert.Null(NeighbourFrames.Claimant([1, 2, 3], address));
    }

    private static Task<string> AddAsync(string space, string family, string address, string link) =>
        TestHosts.InAsync(space, ["ip", family, "address", "add", address, "dev", link, .. family == "-6" ? ["nodad"] : Array.Empty<string>()]);

    private static async Task WaitAsync(Func<Task<bool>> condition)
    {
        for (var tries = 0; !await condition(); tries++)
        {
            Assert.True(tries < 50, "the neighbour did not learn the new place within 5 s");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken);
        }
    }
}
