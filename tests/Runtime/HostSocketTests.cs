using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;

namespace Vks.Tests.Runtime;

public sealed class HostSocketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-socket-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(200)]
    public async Task A_socket_is_for_its_owner_only_and_can_be_connected_to_at_any_length(int extraLength)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "x" + new string('y', extraLength))).FullName;
        string path = Path.Combine(folder, "a.sock");
        using SafeHandle listener = UnixSocket.Listen(path);

        using Socket client = await UnixSocket.ConnectAsync(path, Token);

        Assert.True(client.Connected);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public async Task A_socket_file_without_listener_is_replaced()
    {
        string path = Path.Combine(_folder, "a.sock");
        UnixSocket.Listen(path).Dispose();
        HostException nobody = await Assert.ThrowsAsync<HostException>(() => UnixSocket.ConnectAsync(path, Token));

        using SafeHandle listener = UnixSocket.Listen(path);
        using Socket client = await UnixSocket.ConnectAsync(path, Token);

        Assert.Equal("ECONNREFUSED", nobody.ErrnoName);
        Assert.True(client.Connected);
    }

    [Fact]
    public async Task A_missing_socket_and_a_missing_folder_are_named()
    {
        HostException socket = await Assert.ThrowsAsync<HostException>(() => UnixSocket.ConnectAsync(Path.Combine(_folder, "none.sock"), Token));
        HostException folder = Assert.Throws<HostException>(() => UnixSocket.Listen(Path.Combine(_folder, "none", "a.sock")));

        Assert.Equal(("connect", "ENOENT"), (socket.Call, socket.ErrnoName));
        Assert.Equal(("open", "ENOENT"), (folder.Call, folder.ErrnoName));
        Assert.Contains("none.sock", socket.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_over_a_bare_descriptor_carries_bytes_both_ways_and_ends()
    {
        (SafeFileHandle left, Socket right) = await PairAsync();
        await using DescriptorStream stream = new(left, "a pair");
        using Socket peer = right;
        byte[] much = new byte[1_000_000];
        Random.Shared.NextBytes(much);

        Task writing = stream.WriteAsync(much, Token).AsTask();
        byte[] received = new byte[much.Length];
        await using NetworkStream other = new(peer);
        await other.ReadExactlyAsync(received, Token);
        await writing;
        ValueTask<int> waiting = stream.ReadAsync(new byte[10], Token);
        await other.WriteAsync(new byte[] { 1, 2, 3 }, Token);

        Assert.Equal(much, received);
        Assert.Equal(3, await waiting);
        peer.Shutdown(SocketShutdown.Both);
        Assert.Equal(0, await stream.ReadAsync(new byte[10], Token));
    }

    [Fact]
    public async Task A_read_that_waits_ends_with_its_token_and_with_the_stream()
    {
        (SafeFileHandle left, Socket right) = await PairAsync();
        DescriptorStream stream = new(left, "a pair");
        using Socket peer = right;
        using CancellationTokenSource cancelled = new(TimeSpan.FromMilliseconds(50));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.ReadAsync(new byte[1], cancelled.Token).AsTask());
        Task<int> waiting = stream.ReadAsync(new byte[1], Token).AsTask();
        await stream.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(10), Token));
    }

    private async Task<(SafeFileHandle Left, Socket Right)> PairAsync()
    {
        string path = Path.Combine(_folder, "pair.sock");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path), Token);
        Socket server = await listener.AcceptAsync(Token);
        SafeFileHandle left = Native.DuplicateHigh((int)client.Handle);
        client.Dispose();
        return (left, server);
    }
}
