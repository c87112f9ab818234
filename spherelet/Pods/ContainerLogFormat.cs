using System.Buffers;
using System.Buffers.Text;

namespace Vks.Spherelet.Pods;

/// <summary>The log format kubelets read: <c>2016-10-06T00:17:09.669794202Z stdout F the line</c>. Pure.</summary>
/// <remarks>
/// A line is cut into pieces of 16 KiB counted from its beginning; all but the last are tagged P. So the same bytes give the
/// same entries however they arrive, and what a log holds tells how many bytes of each stream were stored.
/// </remarks>
internal static class ContainerLogFormat
{
    /// <summary>Most content bytes of one entry.</summary>
    public const int MaxContentBytes = 16 * 1024;

    private const byte NewLine = (byte)'\n';

    /// <summary>Writes entries for all whole lines and whole pieces at the beginning of the input.</summary>
    /// <param name="input">Bytes of one stream, beginning where an earlier call left off.</param>
    /// <param name="end">The stream ends here, so a last line without its newline is whole, too.</param>
    /// <param name="isError">Standard error instead of standard output.</param>
    /// <param name="time">When the bytes came.</param>
    /// <param name="output">Receives the entries.</param>
    /// <returns>How many input bytes the entries hold; the rest must be given again, with more behind it.</returns>
    public static long Write(ReadOnlySequence<byte> input, bool end, bool isError, DateTimeOffset time, IBufferWriter<byte> output)
    {
        long consumed = 0;
        Span<byte> stamp = stackalloc byte[64];
        stamp = stamp[..WriteTime(time, stamp)];
        while (!input.IsEmpty)
        {
            ReadOnlySequence<byte> piece = input.Length > MaxContentBytes ? input.Slice(0, MaxContentBytes) : input;
            SequencePosition? newLine = piece.PositionOf(NewLine);
            long taken;
            bool partial;
            if (newLine is { } position)
            {
                piece = piece.Slice(0, position);
                taken = piece.Length + 1;
                partial = false;
            }
            else if (piece.Length == MaxContentBytes || end)
            {
                taken = piece.Length;
                partial = piece.Length == MaxContentBytes;
            }
            else
            {
                break;
            }

            WriteEntry(piece, partial, isError, stamp, output);
            consumed += taken;
            input = input.Slice(taken);
        }

        return consumed;
    }

    /// <summary>Writes an entry of ours. Its tag is <c>F:vks</c>: readers see a line of standard error, and it counts for no byte of a stream.</summary>
    public static void WriteNotice(string text, DateTimeOffset time, IBufferWriter<byte> output)
    {
        Span<byte> stamp = stackalloc byte[64];
        output.Write(stamp[..WriteTime(time, stamp)]);
        output.Write(" stderr F:vks "u8);
        output.Write(System.Text.Encoding.UTF8.GetBytes(text));
        output.Write("\n"u8);
    }

    /// <summary>Counts the stream bytes that one entry of a log stands for.</summary>
    /// <param name="entry">A line of the log without its newline.</param>
    /// <param name="isError">Which stream it is of.</param>
    /// <param name="streamBytes">How many bytes, its newline included.</param>
    /// <returns>False when the line is not an entry.</returns>
    public static bool TryCount(ReadOnlySpan<byte> entry, out bool isError, out long streamBytes)
    {
        isError = false;
        streamBytes = 0;
        int space = entry.IndexOf((byte)' ');
        if (space <= 0)
        {
            return false;
        }

        ReadOnlySpan<byte> rest = entry[(space + 1)..];
        isError = rest.StartsWith("stderr "u8);
        if (!isError && !rest.StartsWith("stdout "u8))
        {
            return false;
        }

        rest = rest[7..];
        bool partial = rest.StartsWith("P "u8);
        if (!partial && !rest.StartsWith("F "u8))
        {
            return false;
        }

        streamBytes = rest.Length - 2 + (partial ? 0 : 1);
        return true;
    }

    private static void WriteEntry(ReadOnlySequence<byte> content, bool partial, bool isError, ReadOnlySpan<byte> stamp, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> tag = (isError, partial) switch
        {
            (false, false) => " stdout F "u8,
            (false, true) => " stdout P "u8,
            (true, false) => " stderr F "u8,
            (true, true) => " stderr P "u8,
        };
        Span<byte> entry = output.GetSpan(stamp.Length + tag.Length + (int)content.Length + 1);
        stamp.CopyTo(entry);
        tag.CopyTo(entry[stamp.Length..]);
        int length = stamp.Length + tag.Length;
        content.CopyTo(entry[length..]);
        length += (int)content.Length;
        entry[length] = NewLine;
        output.Advance(length + 1);
    }

    /// <summary>RFC 3339 in UTC with nine digits; the clock has seven of them.</summary>
    private static int WriteTime(DateTimeOffset time, Span<byte> destination)
    {
        // The round trip format is 2016-10-06T00:17:09.6697942Z.
        bool fits = Utf8Formatter.TryFormat(time.UtcDateTime, destination, out int written, new StandardFormat('O'));
        System.Diagnostics.Debug.Assert(fits && destination[written - 1] == (byte)'Z', "a UTC time ends in Z");
        "00Z"u8.CopyTo(destination[(written - 1)..]);
        return written + 2;
    }
}
