using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Spherelet.Streaming;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>The server's end of SPDY/3.1.</summary>
public sealed class StreamingSpdyTests
{
    /// <summary>Header blocks of one connection, made by zlib 1.3 at level 9 with the dictionary, each ended by a sync flush.</summary>
    private static readonly string[] s_blocks =
    [
        "78f9e3c6a7c202a62346703a2b294a4dcc851625aca9a08006000000ffff",
        "02651c4ca9e2126076c15ee60a623805000000ffff",
        "020a3200000000ffff",
        "02256b0c6340855522a4dc2f0267310b030b0320cd5904492799a0fcc36800000000ffff",
        "82ba8eb1028875124701d100000000ffff",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Header_blocks_of_another_zlib_are_read_with_the_dictionary_and_across_blocks()
    {
        using var reader = new SpdyHeaderReader();
        Dictionary<string, string>[] headers = [.. s_blocks.Select(block => reader.Read(new ReadOnlySequence<byte>(Convert.FromHexString(block))))];

        Assert.Equal("error", headers[0]["streamtype"]);
        Assert.Equal(("stdin", "gzip,deflate,sdch"), (headers[1]["streamtype"], headers[1]["Accept-Encoding"]));
        Assert.Empty(headers[2]);
        Assert.Equal(("data", "8080", "0"), (headers[3]["streamtype"], headers[3]["port"], headers[3]["requestid"]));
        Assert.Equal(new string('a', 300), headers[4]["x"]);
    }

    [Fact]
    public void Broken_header_blocks_are_refused_and_nothing_else_happens() =>
        Gen.Select(Gen.Int[0, s_blocks.Length - 1], Gen.Int[0, 200], Gen.Byte, Gen.Byte.Array[0, 40]).Sample((which, at, value, garbage) =>
        {
            using var reader = new SpdyHeaderReader();
            for (var i = 0; i < s_blocks.Length; i++)
            {
                byte[] block = Convert.FromHexString(s_blocks[i]);
                block[at % block.Length] = i == which ? value : block[at % block.Length];
                try
                {
                    reader.Read(new ReadOnlySequence<byte>(i == which && at % 7 == 0 ? garbage : block));
                }
                catch (SpdyException)
                {
                    return;
                }
            }
        }, iter: 2000);

    [Fact]
    public async Task A_header_block_that_unpacks_without_end_is_refused()
    {
        using var reader = new SpdyHeaderReader();
        byte[] huge = new byte[100 * 1024];
        List<byte> block = [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2];
        for (var i = 0; i < 4; i++)
        {
            block.AddRange([0, 0x00, 0x60, 0xFF, 0x9F, .. huge.AsSpan(0, 0x6000).ToArray()]);
        }

        await Task.Yield();
        Assert.Throws<SpdyException>(() => reader.Read(new ReadOnlySequence<byte>(block.ToArray())));
    }

    [Fact]
    public async Task Frames_are_the_same_however_their_bytes_arrive() =>
        await Gen.Select(s_frames.Array[0, 8], Gen.Int[1, 3000].Array[1, 20]).SampleAsync(async (frames, cuts) =>
        {
            byte[] wire = [.. frames.SelectMany(frame => frame.Wire)];
            var pipe = new Pipe();
            Task writing = WriteAsync(pipe.Writer, wire, cuts);
            var reader = new SpdyFrameReader(pipe.Reader);
            foreach ((byte[] _, SpdyFrameType type, uint id, byte[] payload) in frames)
            {
                Assert.Equal(payload, await ReadWholeAsync(reader, type, id));
            }

            Assert.Null(await reader.ReadAsync(Token));
            await writing;
        }, iter: 200, threads: 1);

    [Fact]
    public async Task Garbage_ends_the_connection_with_a_GOAWAY_or_a_hang_up_and_no_crash()
    {
        await Gen.Byte.Array[1, 400].SampleAsync(async garbage =>
        {
            await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
            await pair.Client.SendRawAsync([.. garbage, 0x80, 2, 0, 1, 0, 0, 0, 0], Token);
            pair.ShutDownClient();
            await pair.Server.Accepted.Completion.WaitAsync(TimeSpan.FromSeconds(10), Token);
            Assert.True(pair.Server.Gone.IsCancellationRequested || await BecomesTrueAsync(pair));
        }, iter: 60, threads: 1);
    }

    [Fact]
    public async Task Another_version_gets_a_GOAWAY_for_protocol_error()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);

        await pair.Client.SendRawAsync([0x80, 2, 0, 1, 0, 0, 0, 0], Token);

        Assert.Equal(1u, await pair.Client.GoneAway.WaitAsync(TimeSpan.FromSeconds(10), Token));
    }

    [Fact]
    public async Task A_stream_carries_bytes_both_ways_and_each_side_ends_on_its_own()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
        SpdyTestStream mine = await pair.Client.OpenAsync(Token, ("streamtype", "data"));
        SpdyStream theirs = await pair.Server.Accepted.ReadAsync(Token);

        await mine.SendAsync("to the server", fin: true, Token);
        string got = await new StreamReader(theirs.Input.AsStream()).ReadToEndAsync(Token);
        await theirs.WriteAsync(Encoding.UTF8.GetBytes("to the client"), Token);
        await theirs.EndAsync(Token);

        Assert.Equal("to the server", got);
        Assert.Equal("to the client", await mine.ReadToEndAsync(Token));
        Assert.Equal("data", theirs.Headers["streamtype"]);
    }

    /// <summary>Go's decompressor gives nothing out, and is broken for good, when a block ends without one.</summary>
    [Fact]
    public void Every_reply_ends_with_a_sync_flush()
    {
        foreach (bool first in new[] { true, false })
        {
            var wire = new ArrayBufferWriter<byte>();
            SpdyFrameWriter.SynReply(wire, 1, first);

            Assert.Equal(SpdyFrame.HeaderBytes + wire.WrittenSpan[7], wire.WrittenCount);
            Assert.Equal(new byte[] { 0, 0, 0, 0xFF, 0xFF }, wire.WrittenSpan[^5..].ToArray());
        }
    }

    [Fact]
    public async Task A_ping_comes_back_and_a_reset_ends_the_stream()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
        SpdyTestStream mine = await pair.Client.OpenAsync(Token, ("streamtype", "data"));
        SpdyStream theirs = await pair.Server.Accepted.ReadAsync(Token);

        await pair.Client.SendControlAsync(6, 0, SpdyTestClient.Bytes(77), Token);
        await pair.Client.SendControlAsync(3, 0, [.. SpdyTestClient.Bytes(mine.Id), .. SpdyTestClient.Bytes(5)], Token);

        Assert.Equal("", await new StreamReader(theirs.Input.AsStream()).ReadToEndAsync(Token));
        await theirs.WriteAsync(new byte[100_000], Token);
        await Eventually.TrueAsync(() => Task.FromResult(pair.Client.Pongs.Contains(77u)), TimeSpan.FromSeconds(10), () => "no pong", Token);
        Assert.Equal(0, mine.Length);
    }

    [Fact]
    public async Task A_client_without_flow_control_gets_more_than_a_window()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
        SpdyTestStream mine = await pair.Client.OpenAsync(Token, ("streamtype", "data"));
        SpdyStream theirs = await pair.Server.Accepted.ReadAsync(Token);

        await theirs.WriteAsync(new byte[300_000], Token).AsTask().WaitAsync(TimeSpan.FromSeconds(10), Token);
        await theirs.EndAsync(Token);
        await mine.ReadToEndAsync(Token);

        Assert.Equal(300_000, mine.Length);
    }

    [Fact]
    public async Task A_client_with_flow_control_gets_no_more_than_it_asked_for()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
        await pair.Client.SendControlAsync(4, 0, [.. SpdyTestClient.Bytes(1), .. SpdyTestClient.Bytes(7), .. SpdyTestClient.Bytes(1000)], Token);
        SpdyTestStream mine = await pair.Client.OpenAsync(Token, ("streamtype", "data"));
        SpdyStream theirs = await pair.Server.Accepted.ReadAsync(Token);

        Task writing = theirs.WriteAsync(new byte[3000], Token).AsTask();
        await Eventually.TrueAsync(() => Task.FromResult(mine.Length == 1000), TimeSpan.FromSeconds(10), () => $"{mine.Length} bytes", Token);
        Assert.False(writing.IsCompleted);
        await pair.Client.SendControlAsync(9, 0, [.. SpdyTestClient.Bytes(mine.Id), .. SpdyTestClient.Bytes(2000)], Token);
        await writing.WaitAsync(TimeSpan.FromSeconds(10), Token);

        await Eventually.TrueAsync(() => Task.FromResult(mine.Length == 3000), TimeSpan.FromSeconds(10), () => $"{mine.Length} bytes", Token);
    }

    [Fact]
    public async Task Bytes_that_are_taken_are_credited()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
        SpdyTestStream mine = await pair.Client.OpenAsync(Token, ("streamtype", "data"));
        SpdyStream theirs = await pair.Server.Accepted.ReadAsync(Token);
        Task drained = theirs.Input.CopyToAsync(Stream.Null, Token);

        for (var i = 0; i < 100; i++)
        {
            await mine.SendAsync(new byte[10_000], fin: false, Token);
        }

        await Eventually.TrueAsync(
            () => Task.FromResult(pair.Client.Credits.GetValueOrDefault(mine.Id) > 1_000_000 - 64 * 1024), TimeSpan.FromSeconds(10),
            () => $"{pair.Client.Credits.GetValueOrDefault(mine.Id)} bytes credited", Token);
        Assert.False(drained.IsCompleted);
    }

    [Fact]
    public async Task Streams_beyond_the_limit_are_refused()
    {
        await using SpdyPair pair = await SpdyPair.ConnectAsync(Token);
        SpdyTestStream last = null!;
        for (var i = 0; i <= SpdyConnection.MaxStreams; i++)
        {
            last = await pair.Client.OpenAsync(Token, ("streamtype", "data"));
        }

        Assert.Equal(3u, await last.Reset.Task.WaitAsync(TimeSpan.FromSeconds(10), Token));
    }

    private static readonly Gen<(byte[] Wire, SpdyFrameType Type, uint Id, byte[] Payload)> s_frames =
        Gen.Select(Gen.Bool, Gen.UInt[1, 0x7FFF_FFFF], Gen.Int[1, 9], Gen.Byte.Array[0, 5000]).Select((control, id, type, payload) =>
        {
            byte[] wire =
            [
                .. SpdyTestClient.Bytes(control ? 0x8003_0000 | (uint)type : id), .. SpdyTestClient.Bytes((uint)payload.Length), .. payload,
            ];
            return (wire, control ? (SpdyFrameType)type : SpdyFrameType.Data, control ? 0 : id, payload);
        });

    private static async Task<byte[]> ReadWholeAsync(SpdyFrameReader reader, SpdyFrameType type, uint id)
    {
        List<byte> payload = [];
        while (true)
        {
            SpdyFrame frame = Assert.NotNull(await reader.ReadAsync(Token));
            Assert.Equal((type, id), (frame.Type, frame.StreamId));
            payload.AddRange(frame.Payload.ToArray());
            if (frame.IsLastPiece)
            {
                return [.. payload];
            }
        }
    }

    private static async Task WriteAsync(PipeWriter writer, byte[] wire, int[] cuts)
    {
        for (int at = 0, i = 0; at < wire.Length; i++)
        {
            int count = Math.Min(cuts[i % cuts.Length], wire.Length - at);
            await writer.WriteAsync(wire.AsMemory(at, count), Token);
            at += count;
        }

        await writer.CompleteAsync();
    }

    private static async Task<bool> BecomesTrueAsync(SpdyPair pair)
    {
        await Eventually.TrueAsync(() => Task.FromResult(pair.Server.Gone.IsCancellationRequested), TimeSpan.FromSeconds(5), () => "the connection stays", Token);
        return true;
    }
}

/// <summary>A client and a server end over loopback TCP.</summary>
internal sealed class SpdyPair : IAsyncDisposable
{
    private readonly NetworkStream _serverStream;
    private readonly Socket _clientSocket;

    private SpdyPair(Socket client, Socket server)
    {
        _clientSocket = client;
        _serverStream = new NetworkStream(server, ownsSocket: true);
        Client = new SpdyTestClient(new NetworkStream(client, ownsSocket: true));
        Server = new SpdyConnection(_serverStream, static () => { }, TimeProvider.System, NullLogger.Instance);
        Server.Start();
    }

    public SpdyTestClient Client { get; }

    public SpdyConnection Server { get; }

    public static async Task<SpdyPair> ConnectAsync(CancellationToken cancellationToken)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.LocalEndpoint, cancellationToken);
        return new SpdyPair(client, await listener.AcceptSocketAsync(cancellationToken));
    }

    public void ShutDownClient() => _clientSocket.Shutdown(SocketShutdown.Send);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await _serverStream.DisposeAsync();
        await Client.DisposeAsync();
    }
}
