using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Vks.Tests.Kit;

/// <summary>Stands before a server and lets only so many bytes of each connection through, then nothing: a line that has died without a word.</summary>
internal sealed class StallingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly IPEndPoint _server;
    private readonly Task _accepting;
    private long _limit = long.MaxValue;

    /// <summary>Starts it.</summary>
    /// <param name="server">Host and port of the server.</param>
    public StallingProxy(string server)
    {
        _server = IPEndPoint.Parse(server);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Host and port.</summary>
    public string Host => _listener.LocalEndpoint.ToString()!;

    /// <summary>Bytes from the server that a connection made from now on lets through.</summary>
    public long BytesPerConnection
    {
        get => Interlocked.Read(ref _limit);
        set => Interlocked.Exchange(ref _limit, value);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _connections.Add(RelayAsync(client, BytesPerConnection));
            }
        }
        catch (OperationCanceledException)
        {
            // As asked.
        }
    }

    private async Task RelayAsync(TcpClient client, long limit)
    {
        using TcpClient server = new();
        using (client)
        {
            try
            {
                await server.ConnectAsync(_server, _stop.Token);
                Task up = client.GetStream().CopyToAsync(server.GetStream(), _stop.Token);
                Task down = CopyAsync(server.GetStream(), client.GetStream(), limit);
                await await Task.WhenAny(up, down);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
            {
                // An end hung up, or the test is over.
            }
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, long limit)
    {
        byte[] buffer = new byte[16 << 10];
        int got;
        while ((got = await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, Math.Max(1, limit))), _stop.Token)) > 0)
        {
            if (limit <= 0)
            {
                await Task.Delay(Timeout.Infinite, _stop.Token);
            }

            await to.WriteAsync(buffer.AsMemory(0, got), _stop.Token);
            limit -= got;
        }
    }
}
