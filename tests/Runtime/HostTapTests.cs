using CliWrap;
using Microsoft.Win32.SafeHandles;
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

    [Fact]
    public async Task A_tap_that_is_let_go_a_moment_later_is_waited_for_and_one_that_is_held_is_not_had()
    {
        string space = $"vks-test-tap-{Environment.ProcessId}";
        await Ip("netns", "add", space);
        try
        {
            await Ip("-n", space, "tuntap", "add", "tap0", "mode", "tap", "vnet_hdr");
            SafeFileHandle first = await Tap.OpenAsync($"/run/netns/{space}", "tap0");
            Task<SafeFileHandle> second = Tap.OpenAsync($"/run/netns/{space}", "tap0");
            await Task.Delay(100, TestContext.Current.CancellationToken);
            Assert.False(second.IsCompleted);

            first.Dispose();
            using SafeFileHandle held = await second;

            HostException refused = await Assert.ThrowsAsync<HostException>(() => Tap.OpenAsync($"/run/netns/{space}", "tap0"));
            Assert.Equal("EBUSY", refused.ErrnoName);
        }
        finally
        {
            await Ip("netns", "delete", space);
        }
    }

    private static Task Ip(params string[] arguments) => Cli.Wrap("ip").WithArguments(arguments).ExecuteAsync();
}
