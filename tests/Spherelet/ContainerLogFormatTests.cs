using System.Buffers;
using System.Text;
using CsCheck;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>The CRI log format: what comes out depends on the bytes, never on how they arrive.</summary>
public sealed class ContainerLogFormatTests
{
    private static readonly DateTimeOffset s_time = new DateTimeOffset(2016, 10, 6, 0, 17, 9, TimeSpan.Zero).AddTicks(6697942);

    /// <summary>Texts with short and long lines, empty ones, and pieces around the 16 KiB border.</summary>
    private static readonly Gen<byte[]> s_output = Gen.OneOf(
            Gen.Int[0, 40],
            Gen.Int[ContainerLogFormat.MaxContentBytes - 2, ContainerLogFormat.MaxContentBytes + 2],
            Gen.Int[2 * ContainerLogFormat.MaxContentBytes - 1, 2 * ContainerLogFormat.MaxContentBytes + 1])
        .Array[0, 6]
        .Select(Gen.Bool, (lengths, newLineAtEnd) => Encoding.ASCII.GetBytes(
            string.Join('\n', lengths.Select(length => new string('x', length))) + (newLineAtEnd ? "\n" : "")));

    [Fact]
    public void An_entry_has_time_stream_tag_and_content() =>
        Assert.Equal("2016-10-06T00:17:09.669794200Z stdout F hello\n", Format(Bytes("hello\n"), [], isError: false));

    [Fact]
    public void A_line_longer_than_a_piece_is_cut_and_all_but_its_last_piece_tagged_P()
    {
        string log = Format([.. new byte[ContainerLogFormat.MaxContentBytes + 3].Select(_ => (byte)'y'), (byte)'\n'], [], isError: true);
        string[] lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(2, lines.Length);
        Assert.EndsWith(" stderr P " + new string('y', ContainerLogFormat.MaxContentBytes), lines[0], StringComparison.Ordinal);
        Assert.EndsWith(" stderr F yyy", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Any_split_of_the_bytes_gives_the_same_log() =>
        Gen.Select(s_output, Gen.Int[1, 40_000].Array[0, 8]).Sample((bytes, cuts) =>
            Assert.Equal(Format(bytes, [], isError: false), Format(bytes, cuts, isError: false)), iter: 300);

    [Fact]
    public void The_entries_of_a_log_tell_how_many_bytes_of_the_stream_it_holds() =>
        s_output.Sample(bytes =>
        {
            var log = new ArrayBufferWriter<byte>();
            long consumed = ContainerLogFormat.Write(new ReadOnlySequence<byte>(bytes), end: false, isError: true, s_time, log);

            long counted = 0;
            foreach (string line in Encoding.ASCII.GetString(log.WrittenSpan).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                Assert.True(ContainerLogFormat.TryCount(Encoding.ASCII.GetBytes(line), out bool isError, out long streamBytes), line);
                Assert.True(isError);
                counted += streamBytes;
            }

            Assert.Equal(consumed, counted);
        }, iter: 300);

    [Fact]
    public void Content_put_together_again_is_what_went_in() =>
        s_output.Sample(bytes =>
        {
            IEnumerable<string> pieces = Format(bytes, [], isError: false).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split(' ', 4)).Select(parts => parts[3] + (parts[2] == "F" ? "\n" : ""));

            Assert.Equal(Encoding.ASCII.GetString(bytes).TrimEnd('\n'), string.Concat(pieces).TrimEnd('\n'));
        }, iter: 300);

    [Theory]
    [InlineData("")]
    [InlineData("no entry at all")]
    [InlineData("2016-10-06T00:17:09Z stdin F x")]
    [InlineData("2016-10-06T00:17:09Z stdout X x")]
    public void What_is_no_entry_is_not_counted(string line) =>
        Assert.False(ContainerLogFormat.TryCount(Encoding.ASCII.GetBytes(line), out _, out _));

    /// <summary>Feeds the bytes in pieces as a pipe does: what was not consumed comes again, with more behind it.</summary>
    private static string Format(byte[] bytes, int[] cuts, bool isError)
    {
        var log = new ArrayBufferWriter<byte>();
        long stored = 0;
        long arrived = 0;
        foreach (int cut in cuts)
        {
            arrived = Math.Min(bytes.Length, arrived + cut);
            stored += ContainerLogFormat.Write(new ReadOnlySequence<byte>(bytes, (int)stored, (int)(arrived - stored)), end: false, isError, s_time, log);
        }

        ContainerLogFormat.Write(new ReadOnlySequence<byte>(bytes, (int)stored, (int)(bytes.Length - stored)), end: true, isError, s_time, log);
        return Encoding.ASCII.GetString(log.WrittenSpan);
    }

    private static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);
}
