using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;

namespace Vks.Tests.Kit;

/// <summary>A client of the channel protocols, over the class library's WebSocket.</summary>
internal sealed class WebSocketTestClient : IAsyncDisposable
{
    private readonly ClientWebSocket _socket;
    private readonly bool _base64;
    private readonly ConcurrentDictionary<int, List<byte>> _received = new();
    private readonly Task _reading;

    private WebSocketTestClient(ClientWebSocket socket)
    {
        _socket = socket;
        _base64 = socket.SubProtocol!.Contains("base64", StringComparison.Ordinal);
        _reading = ReadAsync();
    }

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    public static async Task<WebSocketTestClient> ConnectAsync(string url, string protocol, CancellationToken cancellationToken) =>
        new(await OpenAsync(url, protocol, cancellationToken));

    public static async Task<ClientWebSocket> OpenAsync(string url, string protocol, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(protocol);
        await socket.ConnectAsync(new Uri(url.Replace("http:", "ws:", StringComparison.Ordinal)), cancellationToken);
        Assert.Equal(protocol, socket.SubProtocol);
        return socket;
    }

    /// <summary>Connects with a protocol whose name the class library does not let pass.</summary>
    public static async Task<WebSocket> OpenByHandAsync(string url, string protocol, CancellationToken cancellationToken)
    {
        var uri = new Uri(url);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(uri.Host, uri.Port, cancellationToken);
        var stream = new NetworkStream(socket, ownsSocket: true);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"GET {uri.AbsolutePath} HTTP/1.1\r\nHost: {uri.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + $"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"), cancellationToken);
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.True(await stream.ReadAsync(one, cancellationToken) == 1, $"The answer ended early: {head}");
            head.Append((char)one[0]);
        }

        Assert.StartsWith("HTTP/1.1 101 ", head.ToString(), StringComparison.Ordinal);
        Assert.Contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head.ToString(), StringComparison.Ordinal);
        Assert.Contains($"Sec-WebSocket-Protocol: {protocol}", head.ToString(), StringComparison.Ordinal);
        return WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = false });
    }

    public byte[] Bytes(int channel)
    {
        List<byte> bytes = _received.GetOrAdd(channel, _ => []);
        lock (bytes)
        {
            return [.. bytes];
        }
    }

    public string Text(int channel) => Encoding.UTF8.GetString(Bytes(channel));

    public Task SendAsync(byte channel, byte[] bytes, CancellationToken cancellationToken) => _base64
        ? _socket.SendAsync(Encoding.ASCII.GetBytes((char)('0' + channel) + Convert.ToBase64String(bytes)), WebSocketMessageType.Text, true, cancellationToken)
        : _socket.SendAsync((byte[])[channel, .. bytes], WebSocketMessageType.Binary, true, cancellationToken);

    /// <summary>Waits until the server has closed.</summary>
    public Task ReadToEndAsync(CancellationToken cancellationToken) => _reading.WaitAsync(TimeSpan.FromSeconds(60), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        _socket.Dispose();
        await _reading;
    }

    private async Task ReadAsync()
    {
        await Task.Yield();
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                using var message = new MemoryStream();
                ValueWebSocketReceiveResult got;
                do
                {
                    got = await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                    await message.WriteAsync(buffer.AsMemory(0, got.Count));
                }
                while (!got.EndOfMessage);

                if (got.MessageType == WebSocketMessageType.Close)
                {
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                    return;
                }

                Take(message.ToArray());
            }
        }
        catch (Exception over) when (over is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // Closed or aborted; what was received stays readable.
        }
    }

    private void Take(byte[] message)
    {
        byte[] bytes = _base64 ? Convert.FromBase64String(Encoding.ASCII.GetString(message, 1, message.Length - 1)) : message[1..];
        List<byte> channel = _received.GetOrAdd(_base64 ? message[0] - '0' : message[0], _ => []);
        lock (channel)
        {
            channel.AddRange(bytes);
        }
    }
}
