using CsCheck;
using Vks.Runtime.Guest.Protocol;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Framing: whatever the wire does, whole messages come out or nothing.</summary>
public sealed class GuestFrameTests
{
    private static readonly byte[] s_padding = new byte[ProtocolLimits.MaxFramePayloadBytes + ProtocolLimits.HeaderBytes];

    private static readonly Gen<(FrameKind Kind, uint Call, byte[] Body)> s_message = Gen.Select(
        Gen.Int[1, 10].Select(kind => (FrameKind)kind),
        Gen.UInt,
        Gen.OneOf(Gen.Int[0, 50], Gen.Int[65_000, 66_000], Gen.Int[131_072, 200_000]).Select(Gen.Byte, (length, value) => Body(length, value)));

    [Fact]
    public void Any_split_of_the_byte_stream_gives_the_same_messages() =>
        Gen.Select(s_message.Array[1, 6], Gen.Int[1, 70_000].Array[1, 20]).Sample(
            (messages, chunks) =>
            {
                byte[] wire = Write(messages);

                List<(FrameKind, uint, byte[])> read = ReadAll(wire, chunks).Messages;

                return Same(messages, read);
            },
            iter: 200);

    [Fact]
    public void Noise_before_and_between_messages_is_skipped_and_every_message_is_read() =>
        Gen.Select(s_message, Gen.Byte.Array[0, 400]).Array[1, 6].Sample(
            parts =>
            {
                byte[] wire = [.. parts.SelectMany(part => (byte[])[.. part.Item2, .. Write([part.Item1])])];

                (List<(FrameKind, uint, byte[])> read, long skipped) = ReadAll(wire, [4096]);

                return Same([.. parts.Select(part => part.Item1)], read) && skipped == parts.Sum(part => part.Item2.Length);
            },
            iter: 200);

    [Fact]
    public void After_any_cut_or_damaged_traffic_padding_brings_the_reader_back() =>
        Gen.Select(s_message.Array[1, 4], Gen.Double[0, 1], Gen.Select(Gen.Double[0, 1], Gen.Byte[1, 255]).Array[0, 5], Gen.Int[1, 70_000].Array[1, 5]).Sample(
            (messages, cut, damages, chunks) =>
            {
                byte[] wire = Write(messages);
                wire = wire[..(int)(wire.Length * cut)];
                foreach ((double at, byte flip) in wire.Length == 0 ? [] : damages)
                {
                    wire[(int)(at * (wire.Length - 1))] ^= flip;
                }

                byte[] hello = FakeAgent.Frame(FrameKind.Hello, default, 0, FakeAgent.Text("here"));
                List<(FrameKind Kind, uint, byte[] Body)> read = ReadAll([.. wire, .. s_padding, .. hello], chunks).Messages;

                return read[^1].Kind == FrameKind.Hello && read[^1].Body.SequenceEqual(FakeAgent.Text("here")) && read.Count <= messages.Length + 1;
            },
            iter: 300);

    [Fact]
    public void Random_bytes_give_no_message_and_no_exception() =>
        Gen.Byte.Array[0, 100_000].Sample(bytes => ReadAll(bytes, [7, 1024, 65_536]).Messages.Count == 0, iter: 50);

    [Fact]
    public void A_message_without_its_rest_is_dropped_when_another_begins()
    {
        byte[] begun = FakeAgent.Frame(FrameKind.Request, default, 1, new byte[100], more: true);
        byte[] other = FakeAgent.Frame(FrameKind.Request, default, 2, [1, 2, 3]);

        (List<(FrameKind Kind, uint Call, byte[] Body)> read, long skipped) = ReadAll([.. begun, .. other], [64]);

        Assert.Equal([2u], read.Select(message => message.Call));
        Assert.Equal([1, 2, 3], read[0].Body);
        Assert.Equal(100, skipped);
    }

    [Fact]
    public async Task A_message_over_the_limit_is_named_without_its_bytes_and_the_next_is_read()
    {
        byte[] part = FakeAgent.Frame(FrameKind.Request, default, 1, new byte[ProtocolLimits.MaxFramePayloadBytes], more: true);
        byte[] wire =
        [
            .. Enumerable.Repeat(part, ProtocolLimits.MaxMessageBytes / ProtocolLimits.MaxFramePayloadBytes + 8).SelectMany(bytes => bytes),
            .. FakeAgent.Frame(FrameKind.Request, default, 1, [1]),
            .. FakeAgent.Frame(FrameKind.Cancel, default, 2, []),
        ];
        using var reader = new FrameReader(new MemoryStream(wire));

        Assert.True(await reader.ReadAsync(GuestRig.Deadline));
        Assert.True(reader.Oversized);
        Assert.Equal((1u, 0), (reader.Header.CallId, reader.Body.Length));
        Assert.True(await reader.ReadAsync(GuestRig.Deadline));
        Assert.Equal((FrameKind.Cancel, false), (reader.Header.Kind, reader.Oversized));
    }

    [Fact]
    public async Task Messages_of_many_threads_arrive_whole_and_once()
    {
        (FakeAgentWire host, FakeAgentWire guest) = FakeAgentWire.CreatePair();
        await using var hostEnd = host;
        await using var guestEnd = guest;
        var writer = new FrameWriter(host);
        Task[] senders = [.. Enumerable.Range(0, 8).Select(sender => Task.Run(async () =>
        {
            for (uint index = 0; index < 50; index++)
            {
                byte[] body = Body((int)index * 3000, (byte)sender);
                while (!writer.TryPost(FrameKind.Response, default, (uint)sender * 1000 + index, body))
                {
                    await writer.WaitForRoomAsync(GuestRig.Deadline);
                }
            }
        }))];

        using var reader = new FrameReader(guest);
        HashSet<uint> seen = [];
        for (int count = 0; count < 400; count++)
        {
            Assert.True(await reader.ReadAsync(GuestRig.Deadline));
            Assert.True(seen.Add(reader.Header.CallId));
            Assert.Equal((int)(reader.Header.CallId % 1000) * 3000, reader.Body.Length);
            Assert.Equal(-1, reader.Body.Span.IndexOfAnyExcept((byte)(reader.Header.CallId / 1000)));
        }

        await Task.WhenAll(senders);
    }

    [Fact]
    public async Task A_peer_that_reads_nothing_is_given_up_before_memory_is()
    {
        (FakeAgentWire host, FakeAgentWire guest) = FakeAgentWire.CreatePair();
        await using var hostEnd = host;
        await using var guestEnd = guest;
        var writer = new FrameWriter(host);

        for (int count = 0; count < 10; count++)
        {
            writer.Post(FrameKind.Response, default, 1, new byte[ProtocolLimits.MaxMessageBytes]);
        }

        Exception reason = await writer.Faulted.WaitAsync(GuestRig.Deadline);
        Assert.Contains("unread", reason.Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => writer.TryPost(FrameKind.Cancel, default, 1, []));
    }

    private static byte[] Body(int length, byte value)
    {
        byte[] body = new byte[length];
        body.AsSpan().Fill(value);
        return body;
    }

    private static byte[] Write(IEnumerable<(FrameKind Kind, uint Call, byte[] Body)> messages)
    {
        var memory = new MemoryStream();
        var writer = new FrameWriter(memory);
        foreach ((FrameKind kind, uint call, byte[] body) in messages)
        {
            writer.Post(kind, GuestStream.Output, call, body);
        }

        return memory.ToArray();
    }

    private static (List<(FrameKind Kind, uint Call, byte[] Body)> Messages, long Skipped) ReadAll(byte[] wire, int[] chunks)
    {
        using var reader = new FrameReader(new ChunkedStream(wire, chunks));
        List<(FrameKind, uint, byte[])> messages = [];
        while (true)
        {
            ValueTask<bool> read = reader.ReadAsync(CancellationToken.None);
            Assert.True(read.IsCompleted);
            if (!read.IsCompletedSuccessfully || !read.Result)
            {
                return (messages, reader.SkippedBytes);
            }

            messages.Add((reader.Header.Kind, reader.Header.CallId, reader.Body.ToArray()));
        }
    }

    private static bool Same((FrameKind Kind, uint Call, byte[] Body)[] wrote, List<(FrameKind Kind, uint Call, byte[] Body)> read) =>
        wrote.Length == read.Count
        && wrote.Zip(read).All(pair =>
            pair.First.Kind == pair.Second.Kind && pair.First.Call == pair.Second.Call && pair.First.Body.AsSpan().SequenceEqual(pair.Second.Body));

    /// <summary>Gives its bytes in pieces of the given sizes, over and over.</summary>
    private sealed class ChunkedStream(byte[] bytes, int[] chunks) : MemoryStream(bytes)
    {
        private int _turn;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, chunks[_turn++ % chunks.Length])], cancellationToken);
    }
}
