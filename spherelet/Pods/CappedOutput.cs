using System.Buffers;
using System.IO.Pipelines;

namespace Vks.Spherelet.Pods;

/// <summary>What a program in a guest writes, of which only so much is kept.</summary>
internal static class CappedOutput
{
    /// <summary>Reads to the end and keeps the beginning: a program must not stand still because nobody takes the rest.</summary>
    /// <param name="reader">Its output.</param>
    /// <param name="mostBytes">How much is kept.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<byte[]> ReadAsync(PipeReader reader, int mostBytes, CancellationToken cancellationToken)
    {
        var kept = new ArrayBufferWriter<byte>();
        while (true)
        {
            ReadResult read = await reader.ReadAsync(cancellationToken);
            foreach (ReadOnlyMemory<byte> segment in read.Buffer.Slice(0, Math.Min(read.Buffer.Length, mostBytes - kept.WrittenCount)))
            {
                kept.Write(segment.Span);
            }

            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return kept.WrittenSpan.ToArray();
            }
        }
    }
}
