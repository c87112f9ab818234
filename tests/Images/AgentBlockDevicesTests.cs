using System.Net.Sockets;
using Vks.Agent.Disks;

namespace Vks.Tests.Images;

/// <summary>How the agent finds a disk, on folders laid out as the kernel's.</summary>
public sealed class AgentBlockDevicesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-disks-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_disk_that_shows_but_cannot_be_opened_yet_is_waited_for()
    {
        string device = Directory.CreateDirectory(Path.Combine(_folder, "block", "sdb", "device")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(device, "vpd_pg80"), [0, 0x80, 0, 4, .. "demo"u8], Token);
        string node = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "dev")).FullName, "sdb");
        var events = new KernelEvents();
        var devices = new BlockDevices(events, TimeProvider.System, Path.Combine(_folder, "block"), Path.GetDirectoryName(node)!);

        // Opening a socket's file gives ENXIO, as a disk does that is half made.
        using (var halfMade = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            halfMade.Bind(new UnixDomainSocketEndPoint(node));
        }

        Task<string> finding = devices.FindAsync("demo", Token);
        events.WakeAll();
        Assert.False(finding.IsCompleted);

        File.Delete(node);
        await File.WriteAllBytesAsync(node, [], Token);
        events.WakeAll();

        Assert.Equal(node, await finding.WaitAsync(TimeSpan.FromSeconds(5), Token));
    }
}
