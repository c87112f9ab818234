using System.Net.Sockets;
using Vks.Spherelet.Node;

namespace Vks.Tests.Spherelet.Verbs;

/// <summary>What keeps two daemons apart.</summary>
public sealed class DaemonGuardTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vks-guard-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_second_daemon_on_the_same_root_is_refused_until_the_first_lets_go()
    {
        DaemonLock first = DaemonLock.Take(_directory);

        NodeException refusal = Assert.Throws<NodeException>(() => DaemonLock.Take(_directory));
        first.Dispose();
        using DaemonLock second = DaemonLock.Take(_directory);

        Assert.Equal(NodeFault.AlreadyRunning, refusal.Fault);
        Assert.Contains(_directory, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_somebody_listens_on_is_left_alone()
    {
        string path = Path.Combine(_directory, "s.sock");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();

        NodeException refusal = await Assert.ThrowsAsync<NodeException>(() => DaemonSocket.ClearAsync(path, Token));

        Assert.Equal(NodeFault.AlreadyRunning, refusal.Fault);
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task A_socket_nobody_listens_on_any_more_is_removed()
    {
        string path = Path.Combine(_directory, "dead.sock");
        using (Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            listener.Bind(new UnixDomainSocketEndPoint(path + ".bound"));

            // Moved away, or the runtime would remove it on disposal, as a killed daemon does not.
            File.Move(path + ".bound", path);
        }

        Assert.True(File.Exists(path));
        await DaemonSocket.ClearAsync(path, Token);

        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task A_file_in_the_sockets_place_is_not_deleted()
    {
        string path = Path.Combine(_directory, "file");
        await File.WriteAllTextAsync(path, "precious", Token);

        await Assert.ThrowsAsync<NodeException>(() => DaemonSocket.ClearAsync(path, Token));

        Assert.Equal("precious", await File.ReadAllTextAsync(path, Token));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
