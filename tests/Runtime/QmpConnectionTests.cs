using System.IO.Pipelines;
using System.Text;
using CsCheck;
using Vks.Runtime.Qmp;

namespace Vks.Tests.Runtime;

/// <summary>Framing: however the bytes are cut, the same lines come out.</summary>
public sealed class QmpConnectionTests
{
    [Fact]
    public Task Lines_come_out_whole_however_they_are_cut() =>
        Gen.Select(Gen.Int[0, 999].Array[1, 20], Gen.Int[1, 40].Array[1, 200], Gen.Bool).SampleAsync(async (numbers, cuts, carriageReturns) =>
        {
            string end = carriageReturns ? "\r\n" : "\n";
            string text = string.Concat(numbers.Select(number => $$$"""{"event": "E{{{number}}}", "data": {"text": "ä€𝄞 {{{number}}}"}}""" + end + (number % 3 == 0 ? end : "")));
            Pipe pipe = new();
            await using QmpConnection connection = new(new QmpTransport(new HalfDuplex(pipe.Reader.AsStream())));
            var events = connection.Subscribe();

            await WriteCutAsync(pipe.Writer, Encoding.UTF8.GetBytes(text), cuts);
            List<QmpEvent> received = [];
            await foreach (QmpEvent qmpEvent in events.Reader.ReadAllAsync())
            {
                received.Add(qmpEvent);
            }

            Assert.Equal(
                numbers.Select(number => (QmpEvent)new QmpEvent.Other($"E{number}", $$"""{"text": "ä€𝄞 {{number}}"}""") { At = DateTimeOffset.UnixEpoch }), received);
        }, iter: 100);

    [Fact]
    public Task No_bytes_make_the_reader_throw_or_hang() =>
        Gen.Byte.Array[0, 300].SampleAsync(async bytes =>
        {
            Pipe pipe = new();
            await using QmpConnection connection = new(new QmpTransport(new HalfDuplex(pipe.Reader.AsStream())));

            await pipe.Writer.WriteAsync(bytes);
            await pipe.Writer.CompleteAsync();

            await connection.Closed.WaitAsync(TimeSpan.FromSeconds(10));
        }, iter: 300);

    private static async Task WriteCutAsync(PipeWriter writer, byte[] bytes, int[] cuts)
    {
        for (int at = 0, i = 0; at < bytes.Length; i++)
        {
            int count = Math.Min(cuts[i % cuts.Length], bytes.Length - at);
            await writer.WriteAsync(bytes.AsMemory(at, count));
            at += count;
        }

        await writer.CompleteAsync();
    }

    /// <summary>Reads from one stream, swallows what is written.</summary>
    private sealed class HalfDuplex(Stream reading) : Stream
    {
        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => reading.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
