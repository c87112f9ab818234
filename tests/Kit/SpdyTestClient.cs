using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Vks.Tests.Kit;

/// <summary>A SPDY/3.1 client with its own reading of the protocol, as plain as can be: it never compresses and knows no windows.</summary>
internal sealed class SpdyTestClient : IAsyncDisposable
{
    private readonly Stream _transport;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ConcurrentDictionary<uint, SpdyTestStream> _streams = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<uint> _goneAway = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;
    private uint _nextId = 1;
    private bool _headersSent;

    public SpdyTestClient(Stream transport)
    {
        _transport = transport;
        _reading = ReadAsync();
    }

    /// <summary>Status code and headers of the answer to the upgrade.</summary>
    public int Status { get; private init; } = 101;

    public IReadOnlyDictionary<string, string> Headers { get; private init; } = new Dictionary<string, string>();

    /// <summary>Completes when the server has hung up.</summary>
    public Task Ended => _ended.Task;

    /// <summary>The status of the server's GOAWAY.</summary>
    public Task<uint> GoneAway => _goneAway.Task;

    public ConcurrentQueue<uint> Pongs { get; } = new();

    /// <summary>Window updates of the server, by stream.</summary>
    public ConcurrentDictionary<uint, long> Credits { get; } = new();

    public static async Task<SpdyTestClient> ConnectAsync(string url, CancellationToken cancellationToken, params string[] protocols)
    {
        var uri = new Uri(url);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(uri.Host, uri.Port, cancellationToken);
        var stream = new NetworkStream(socket, ownsSocket: true);
        string offers = string.Concat(protocols.Select(protocol => $"X-Stream-Protocol-Version: {protocol}\r\n"));
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {uri.AbsolutePath} HTTP/1.1\r\nHost: {uri.Authority}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n{offers}Content-Length: 0\r\n\r\n"), cancellationToken);
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.True(await stream.ReadAsync(one, cancellationToken) == 1, $"The answer ended early: {head}");
            head.Append((char)one[0]);
        }

        string[] lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        return new SpdyTestClient(stream)
        {
            Status = int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture),
            Headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase),
        };
    }

    public async Task<SpdyTestStream> OpenAsync(CancellationToken cancellationToken, params (string Name, string Value)[] headers)
    {
        var stream = new SpdyTestStream(this, _nextId);
        _nextId += 2;
        _streams[stream.Id] = stream;
        byte[] block = Block(headers);
        await SendControlAsync(1, 0, [.. Bytes(stream.Id), .. Bytes(0), 0, 0, .. block], cancellationToken);
        return stream;
    }

    public Task SendControlAsync(ushort type, byte flags, byte[] payload, CancellationToken cancellationToken) =>
        SendRawAsync([.. Bytes(0x8003_0000 | type), .. Bytes((uint)payload.Length | ((uint)flags << 24)), .. payload], cancellationToken);

    public async Task SendRawAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await _transport.WriteAsync(bytes, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public static byte[] Bytes(uint number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        await _transport.DisposeAsync();
        await _reading;
        _writing.Dispose();
    }

    private byte[] Block((string Name, string Value)[] headers)
    {
        List<byte> plain = [.. Bytes((uint)headers.Length)];
        foreach ((string name, string value) in headers)
        {
            plain.AddRange([.. Bytes((uint)name.Length), .. Encoding.ASCII.GetBytes(name), .. Bytes((uint)value.Length), .. Encoding.ASCII.GetBytes(value)]);
        }

        byte[] zlib = _headersSent ? [] : [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2];
        _headersSent = true;
        int count = plain.Count;
        return [.. zlib, 0, (byte)count, (byte)(count >> 8), (byte)~count, (byte)(~count >> 8), .. plain];
    }

    private async Task ReadAsync()
    {
        await Task.Yield();
        var header = new byte[8];
        try
        {
            while (true)
            {
                await _transport.ReadExactlyAsync(header);
                uint first = BinaryPrimitives.ReadUInt32BigEndian(header);
                uint second = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
                var payload = new byte[second & 0xFF_FFFF];
                await _transport.ReadExactlyAsync(payload);
                if ((first & 0x8000_0000) == 0)
                {
                    await _streams[first].TakeAsync(payload, (second >> 24 & 1) != 0);
                }
                else
                {
                    Control((ushort)first, payload);
                }
            }
        }
        catch (Exception over) when (over is IOException or ObjectDisposedException or System.Net.WebSockets.WebSocketException or OperationCanceledException)
        {
            foreach (SpdyTestStream stream in _streams.Values)
            {
                stream.Finish();
            }

            _ended.TrySetResult();
        }
    }

    private void Control(ushort type, byte[] payload)
    {
        uint number = BinaryPrimitives.ReadUInt32BigEndian(payload);
        switch (type)
        {
            case 2:
                _streams[number].Replied.TrySetResult();
                break;
            case 3:
                _streams[number].Reset.TrySetResult(BinaryPrimitives.ReadUInt32BigEndian(payload.AsSpan(4)));
                _streams[number].Finish();
                break;
            case 6:
                Pongs.Enqueue(number);
                break;
            case 7:
                _goneAway.TrySetResult(BinaryPrimitives.ReadUInt32BigEndian(payload.AsSpan(4)));
                break;
            case 9:
                Credits.AddOrUpdate(number, BinaryPrimitives.ReadUInt32BigEndian(payload.AsSpan(4)), (_, sum) => sum + BinaryPrimitives.ReadUInt32BigEndian(payload.AsSpan(4)));
                break;
            default:
                break;
        }
    }
}

/// <summary>One stream of the client.</summary>
internal sealed class SpdyTestStream(SpdyTestClient client, uint id)
{
    private readonly List<byte> _received = [];
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public uint Id => id;

    public TaskCompletionSource Replied { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource<uint> Reset { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Set to hold the client's reading up.</summary>
    public Func<Task>? BeforeTake { get; set; }

    /// <summary>What came so far.</summary>
    public string Text
    {
        get
        {
            lock (_received)
            {
                return Encoding.UTF8.GetString([.. _received]);
            }
        }
    }

    public long Length
    {
        get
        {
            lock (_received)
            {
                return _received.Count;
            }
        }
    }

    public Task SendAsync(string text, bool fin, CancellationToken cancellationToken) => SendAsync(Encoding.UTF8.GetBytes(text), fin, cancellationToken);

    public Task SendAsync(byte[] bytes, bool fin, CancellationToken cancellationToken) => client.SendRawAsync(
        [.. SpdyTestClient.Bytes(id), .. SpdyTestClient.Bytes((uint)bytes.Length | (fin ? 1u << 24 : 0)), .. bytes], cancellationToken);

    /// <summary>All of it, once the server has ended the stream.</summary>
    public async Task<string> ReadToEndAsync(CancellationToken cancellationToken)
    {
        await _finished.Task.WaitAsync(TimeSpan.FromSeconds(60), cancellationToken);
        return Text;
    }

    /// <summary>Waits until a text has come.</summary>
    public Task WaitForAsync(string text, CancellationToken cancellationToken) => Eventually.TrueAsync(
        () => Task.FromResult(Text.Contains(text, StringComparison.Ordinal)), TimeSpan.FromSeconds(30), () => $"'{text}' did not come, but '{Text}'", cancellationToken);

    internal async Task TakeAsync(byte[] bytes, bool fin)
    {
        Assert.True(Replied.Task.IsCompleted, "Bytes came before the reply: real clients drop them.");
        if (BeforeTake is { } wait)
        {
            await wait();
        }

        lock (_received)
        {
            _received.AddRange(bytes);
        }

        if (fin)
        {
            Finish();
        }
    }

    internal void Finish() => _finished.TrySetResult();
}
