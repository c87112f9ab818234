using Vks.Agent.Channel;
using Vks.Agent.Disks;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>What an image disk is, by its first bytes.</summary>
public sealed class AgentDiskFormatTests
{
    [Fact]
    public void Squashfs_and_erofs_are_told_by_their_superblocks()
    {
        byte[] squashfs = [.. "hsqs"u8, .. new byte[2000]];
        byte[] erofs = [.. new byte[1024], 0xE2, 0xE1, 0xF5, 0xE0, .. new byte[2000]];

        Assert.Equal("squashfs", DiskFormat.Of(squashfs));
        Assert.Equal("erofs", DiskFormat.Of(erofs));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(1027)]
    [InlineData(4096)]
    public void Anything_else_is_refused_and_named(int bytes)
    {
        string disk = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(disk, new byte[bytes]);

            var refused = Assert.Throws<AgentException>(() => DiskFormat.OfDisk(disk));

            Assert.Equal(GuestFault.InvalidRequest, refused.Fault);
            Assert.Contains(disk, refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(disk);
        }
    }

    [Fact]
    public void A_disk_that_is_gone_is_told()
    {
        var failed = Assert.Throws<AgentException>(() => DiskFormat.OfDisk("/nowhere/sda"));

        Assert.Equal(GuestFault.Failed, failed.Fault);
    }
}
