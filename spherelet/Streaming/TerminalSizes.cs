using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Threading.Channels;

namespace Vks.Spherelet.Streaming;

/// <summary>Reads terminal sizes: JSON objects one after the other, <c>{"Width":80,"Height":24}</c>.</summary>
internal static class TerminalSizes
{
    /// <summary>Most bytes of one object.</summary>
    public const int MaxBytes = 4096;

    /// <summary>Reads a stream of sizes into a queue until it ends or makes no sense.</summary>
    public static async Task CopyAsync(PipeReader source, ChannelWriter<TerminalSize> to, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                ReadResult read = await source.ReadAsync(cancellationToken);
                SequencePosition consumed = Take(read.Buffer, to);
                bool tooLong = read.Buffer.Slice(consumed).Length > MaxBytes;
                source.AdvanceTo(consumed, read.Buffer.End);
                if (read.IsCompleted || tooLong)
                {
                    return;
                }
            }
        }
        catch (Exception problem) when (problem is JsonException or IOException or OperationCanceledException)
        {
            // The session goes on without further sizes, or has ended.
        }
        finally
        {
            await source.CompleteAsync();
        }
    }

    /// <summary>Reads one message that holds one size; nonsense is no size.</summary>
    public static void Take(ReadOnlySpan<byte> message, ChannelWriter<TerminalSize> to)
    {
        try
        {
            Offer(JsonSerializer.Deserialize(message, StreamingJson.Default.TerminalSize), to);
        }
        catch (JsonException)
        {
            // A client that cannot say its size keeps the one it has.
        }
    }

    private static SequencePosition Take(ReadOnlySequence<byte> bytes, ChannelWriter<TerminalSize> to)
    {
        SequencePosition consumed = bytes.Start;
        while (true)
        {
            ReadOnlySequence<byte> rest = bytes.Slice(consumed);
            var reader = new Utf8JsonReader(rest, isFinalBlock: false, new JsonReaderState(new JsonReaderOptions { AllowMultipleValues = true }));
            if (!reader.Read() || !reader.TrySkip())
            {
                return consumed;
            }

            ReadOnlySequence<byte> value = rest.Slice(0, reader.Position);
            consumed = reader.Position;
            Take(value.ToArray(), to);
        }
    }

    private static void Offer(TerminalSize? size, ChannelWriter<TerminalSize> to)
    {
        if (size is { Width: > 0, Height: > 0 })
        {
            to.TryWrite(size);
        }
    }
}
