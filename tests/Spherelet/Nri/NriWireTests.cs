using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using CsCheck;
using Vks.Spherelet.Nri;
using Vks.Spherelet.Nri.Wire;

namespace Vks.Tests.Spherelet.Nri;

/// <summary>NRI's framing and ttrpc over it: what is sent arrives, however the bytes are cut, and rubbish ends the connection alone.</summary>
public sealed class NriWireTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_header_is_read_as_it_was_written() =>
        Gen.Select(Gen.Int[0, TtrpcHeader.MostBytes], Gen.UInt, Gen.Int[1, 3].Select(static number => (TtrpcKind)number), Gen.Byte).Sample((length, call, kind, flags) =>
        {
            var bytes = new byte[TtrpcHeader.Size];
            new TtrpcHeader(length, call, kind, flags).Write(bytes);
            Assert.Equal(new TtrpcHeader(length, call, kind, flags), TtrpcHeader.Read(bytes));
        });

    [Theory]
    [InlineData("ff ff ff ff 00 00 00 01 01 00")]
    [InlineData("00 40 00 01 00 00 00 01 01 00")]
    [InlineData("00 00 00 01 00 00 00 01 09 00")]
    [InlineData("00 00 00 01 00 00 00 01 00 00")]
    public void A_header_that_cannot_be_is_refused(string bytes) =>
        Assert.True(Assert.Throws<TtrpcException>(() => TtrpcHeader.Read(Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal)))).IsFatal);

    [Fact]
    public async Task Bytes_of_each_stream_arrive_in_order_wherever_the_wire_is_cut() =>
        await Gen.Select(Gen.Select(Gen.UInt[1, 3], Gen.Byte.Array[0, 300]).Array[1, 20], Gen.Int[1, 50]).SampleAsync(async (frames, cut) =>
        {
            var pipe = new Pipe();
            await using var trunk = new NriTrunk(new CutStream(pipe.Reader, cut), 1, 2);
            trunk.Start();
            foreach ((uint stream, byte[] bytes) in frames)
            {
                var head = new byte[8];
                BinaryPrimitives.WriteUInt32BigEndian(head, stream);
                BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(4), (uint)bytes.Length);
                await pipe.Writer.WriteAsync(head, Token);
                await pipe.Writer.WriteAsync(bytes, Token);
            }

            await pipe.Writer.CompleteAsync();
            foreach (uint stream in new uint[] { 1, 2 })
            {
                byte[] expected = [.. frames.Where(frame => frame.Item1 == stream).SelectMany(frame => frame.Item2)];
                Assert.Equal(expected, await ReadAllAsync(trunk.Input(stream)));
            }
        }, iter: 200);

    [Fact]
    public async Task A_frame_that_is_too_long_ends_the_connection()
    {
        var pipe = new Pipe();
        await using var trunk = new NriTrunk(new CutStream(pipe.Reader, 100), 1);
        trunk.Start();
        await pipe.Writer.WriteAsync(new byte[] { 0, 0, 0, 1, 0x7f, 0, 0, 0 }, Token);

        await Assert.ThrowsAsync<IOException>(async () => await trunk.Input(1).ReadAsync(Token).AsTask().WaitAsync(s_limit, Token));
        await trunk.Ended.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task Calls_are_answered_at_once_in_both_directions_and_large_ones_too()
    {
        await using var pair = new Pair();
        string large = new('x', 3_000_000);
        pair.Serve("s", "Echo", request => request);

        RegisterPluginRequest[] answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(number => pair.CallAsync("s", "Echo", $"n{number}{(number == 7 ? large : "")}")));

        Assert.Equal(Enumerable.Range(0, 50).Select(number => $"n{number}"), answers.Select(answer => answer.PluginName[..Math.Min(answer.PluginName.Length, 3)].TrimEnd('x')));
        Assert.Equal(large.Length + 2, answers[7].PluginName.Length);
    }

    [Fact]
    public async Task Faults_come_back_with_their_code_and_words_and_the_connection_goes_on()
    {
        await using var pair = new Pair();
        pair.Serve("s", "Refuse", _ => throw new TtrpcException(TtrpcCode.FailedPrecondition, "not now", isFatal: false));
        pair.Serve("s", "Echo", request => request);

        TtrpcException refused = await Assert.ThrowsAsync<TtrpcException>(() => pair.CallAsync("s", "Refuse", "a"));
        TtrpcException unknown = await Assert.ThrowsAsync<TtrpcException>(() => pair.CallAsync("s", "None", "a"));
        TtrpcException tooLong = await Assert.ThrowsAsync<TtrpcException>(() => pair.CallAsync("s", "Echo", new string('x', TtrpcHeader.MostBytes)));

        Assert.Equal((TtrpcCode.FailedPrecondition, "not now", false), (refused.Code, refused.Message, refused.IsFatal));
        Assert.Equal((TtrpcCode.Unimplemented, false), (unknown.Code, unknown.IsFatal));
        Assert.False(tooLong.IsFatal);
        Assert.Equal("b", (await pair.CallAsync("s", "Echo", "b")).PluginName);
    }

    [Fact]
    public async Task A_call_that_is_not_answered_ends_by_its_limit_and_one_whose_connection_ends_at_once()
    {
        var never = new TaskCompletionSource<RegisterPluginRequest>();
        await using var pair = new Pair();
        pair.ServeLater("s", "Wait", _ => never.Task);

        TtrpcException late = await Assert.ThrowsAsync<TtrpcException>(() => pair.CallAsync("s", "Wait", "a", TimeSpan.FromMilliseconds(100)));
        Task<RegisterPluginRequest> waiting = pair.CallAsync("s", "Wait", "a", s_limit);
        await pair.DisposeAsync();
        TtrpcException gone = await Assert.ThrowsAsync<TtrpcException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(5), Token));

        Assert.Equal((TtrpcCode.DeadlineExceeded, true), (late.Code, late.IsFatal));
        Assert.True(gone.IsFatal);
    }

    [Fact]
    public async Task Rubbish_ends_the_connection_and_nothing_else() =>
        await Gen.Byte.Array[0, 400].SampleAsync(async rubbish =>
        {
            var pipe = new Pipe();
            await using var trunk = new NriTrunk(new CutStream(pipe.Reader, 64), 1, 2);
            var client = new TtrpcClient(new TtrpcWire(trunk, 1));
            var server = new TtrpcServer(new TtrpcWire(trunk, 2));
            trunk.Start();
            Task ended = Task.WhenAll(client.RunAsync(Token), server.RunAsync(Token));
            await pipe.Writer.WriteAsync(rubbish, Token);
            await pipe.Writer.CompleteAsync();

            await ended.WaitAsync(s_limit, Token);
        }, iter: 500);

    [Fact]
    public void All_pods_and_containers_are_told_once_and_in_order_in_pieces_of_a_bounded_size() =>
        Gen.Select(Gen.Int[0, 200].Array[0, 20], Gen.Int[0, 200].Array[0, 20], Gen.Int[50, 400]).Sample((pods, containers, most) =>
        {
            PodSandbox[] allPods = [.. pods.Select((length, number) => new PodSandbox { Id = $"p{number}", Name = new string('x', length) })];
            Container[] allContainers = [.. containers.Select((length, number) => new Container { Id = $"c{number}", Name = new string('x', length) })];

            IReadOnlyList<SynchronizeRequest> pieces = NriPlugin.Pieces(allPods, allContainers, most);

            Assert.Equal(allPods, pieces.SelectMany(piece => piece.Pods));
            Assert.Equal(allContainers, pieces.SelectMany(piece => piece.Containers));
            Assert.All(pieces.SkipLast(1), piece => Assert.True(piece.More));
            Assert.False(pieces[^1].More);
            Assert.All(pieces, piece => Assert.True(
                piece.Pods.Count + piece.Containers.Count <= 1 || piece.Pods.Sum(pod => pod.CalculateSize()) + piece.Containers.Sum(one => one.CalculateSize()) <= most));
        });

    [Theory]
    [InlineData("00-a", "00", "a")]
    [InlineData("99-a-b.c_d+e", "99", "a-b.c_d+e")]
    [InlineData("0-a", null, null)]
    [InlineData("000-a", null, null)]
    [InlineData("00-", null, null)]
    [InlineData("00-a/b", null, null)]
    [InlineData("plugin", null, null)]
    [InlineData("ab-c", null, null)]
    public void A_plugins_file_tells_its_place_and_name(string file, string? index, string? name)
    {
        PluginName? read = PluginName.Parse(file);

        Assert.Equal((index, name), (read?.Index, read?.Base));
        if (read is not null)
        {
            Assert.Equal(file, read.ToString());
        }
    }

    private static async Task<byte[]> ReadAllAsync(PipeReader reader)
    {
        ReadResult read;
        while (!(read = await reader.ReadAsync(Token).AsTask().WaitAsync(s_limit, Token)).IsCompleted)
        {
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }

        return read.Buffer.ToArray();
    }

    /// <summary>A caller and an answerer, with a wire between them.</summary>
    private sealed class Pair : IAsyncDisposable
    {
        private readonly NriTrunk _caller;
        private readonly NriTrunk _answerer;
        private readonly TtrpcClient _client;
        private readonly TtrpcServer _server;
        private bool _running;

        public Pair()
        {
            (Pipe there, Pipe back) = (new Pipe(), new Pipe());
            _caller = new NriTrunk(new CutStream(back.Reader, 1000, there.Writer), 1);
            _answerer = new NriTrunk(new CutStream(there.Reader, 1000, back.Writer), 1);
            _client = new TtrpcClient(new TtrpcWire(_caller, 1));
            _server = new TtrpcServer(new TtrpcWire(_answerer, 1));
        }

        public void ServeLater(string service, string method, Func<RegisterPluginRequest, Task<RegisterPluginRequest>> answer) =>
            _server.Register(service, method, RegisterPluginRequest.Parser, async (request, _) => await answer(request));

        public void Serve(string service, string method, Func<RegisterPluginRequest, RegisterPluginRequest> answer) =>
            ServeLater(service, method, request => Task.FromResult(answer(request)));

        public Task<RegisterPluginRequest> CallAsync(string service, string method, string name, TimeSpan? limit = null)
        {
            if (!_running)
            {
                _running = true;
                _caller.Start();
                _answerer.Start();
                _ = _client.RunAsync(Token);
                _ = _server.RunAsync(Token);
            }

            return _client.CallAsync(service, method, new RegisterPluginRequest { PluginName = name }, RegisterPluginRequest.Parser, limit ?? s_limit, TimeProvider.System, Token);
        }

        public async ValueTask DisposeAsync()
        {
            await _caller.DisposeAsync();
            await _answerer.DisposeAsync();
        }
    }

    /// <summary>A stream that gives at most so many bytes at once.</summary>
    private sealed class CutStream(PipeReader reader, int cut, PipeWriter? writer = null) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => writer is not null;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            ReadResult read = await reader.ReadAsync(cancellationToken);
            int count = (int)Math.Min(Math.Min(buffer.Length, cut), read.Buffer.Length);
            read.Buffer.Slice(0, count).CopyTo(buffer.Span);
            reader.AdvanceTo(read.Buffer.GetPosition(count));
            return count;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await writer!.WriteAsync(buffer, cancellationToken);

        public override void Flush()
        {
            // Written through.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            writer?.Complete();
            base.Dispose(disposing);
        }
    }
}
