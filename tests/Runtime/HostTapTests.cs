using Vks.Runtime.Host;

namespace Vks.Tests.Runtime;

public sealed class HostTapTests
{
    [Fact]
    public async Task A_tap_that_does_not_exist_is_not_made()
    {
        HostException missing = await Assert.ThrowsAsync<HostException>(() => Tap.OpenAsync(null, "vksnonexistent"));
        HostException name = await Assert.ThrowsAsync<HostException>(() => Tap.OpenAsync(null, "sixteen-bytes-ok"));

        Assert.Equal("ENODEV", missing.ErrnoName);
        Assert.Equal("ENAMETOOLONG", name.ErrnoName);
        Assert.False(Directory.Exists("/sys/class/net/vksnonexistent"));
    }
}
