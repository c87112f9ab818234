using System.Text;
using CliWrap;
using CliWrap.Buffered;
using CsCheck;
using Vks.Runtime.Machines;

namespace Vks.Tests.Runtime;

/// <summary>The small parts a machine is made of: console log, undo stack, user ids, scratch disks.</summary>
public sealed class MachinePartsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void The_console_keeps_the_last_lines_however_the_bytes_arrive() =>
        Gen.Select(Gen.String[Gen.Char['a', 'z'], 0, 40].Array[0, 400], Gen.Int[1, 97]).Sample((lines, piece) =>
        {
            ConsoleLog log = new();
            byte[] all = Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\r\n")));
            for (int at = 0; at < all.Length; at += piece)
            {
                log.Append(all.AsSpan(at, Math.Min(piece, all.Length - at)));
            }

            Assert.Equal(lines.TakeLast(ConsoleLog.MaxLines), log.Tail);
        });

    [Fact]
    public void A_guest_that_never_ends_a_line_fills_no_memory()
    {
        ConsoleLog log = new();

        log.Append(new byte[10 << 20].Select(_ => (byte)'x').ToArray());

        Assert.Equal(ConsoleLog.MaxLines, log.Tail.Count);
        Assert.All(log.Tail, line => Assert.Equal(ConsoleLog.MaxLineBytes, line.Length));
    }

    [Fact]
    public void An_unfinished_line_counts_among_the_kept_ones()
    {
        ConsoleLog log = new();

        log.Append(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, ConsoleLog.MaxLines + 5).Select(n => $"{n}\n")) + "prompt"));

        Assert.Equal(ConsoleLog.MaxLines, log.Tail.Count);
        Assert.Equal(["6", "prompt"], [log.Tail[0], log.Tail[^1]]);
    }

    [Fact]
    public async Task A_listener_hears_what_comes_later_and_ends_with_the_console()
    {
        ConsoleLog log = new();
        log.Append("before\n"u8);
        await using IAsyncEnumerator<string> lines = log.ReadAsync(Token).GetAsyncEnumerator(Token);
        ValueTask<bool> first = lines.MoveNextAsync();

        log.Append("after\nrest"u8);
        log.Complete();

        Assert.True(await first);
        Assert.Equal("after", lines.Current);
        Assert.True(await lines.MoveNextAsync());
        Assert.Equal("rest", lines.Current);
        Assert.False(await lines.MoveNextAsync());
    }

    [Fact]
    public async Task Undoing_goes_backwards_past_what_fails_and_not_at_all_after_success()
    {
        List<string> done = [];
        UndoStack undo = new((what, _) => done.Add("fault of " + what));
        undo.Push("first", () => done.Add("first"));
        undo.Push("second", () => throw new IOException("no"));
        undo.Push("third", () => done.Add("third"));
        await undo.DisposeAsync();
        await undo.DisposeAsync();
        Assert.Equal(["third", "fault of second", "first"], done);

        done.Clear();
        undo.Push("first", () => done.Add("first"));
        undo.Clear();
        await undo.DisposeAsync();
        Assert.Empty(done);
    }

    [Fact]
    public void No_user_id_is_given_out_twice() =>
        Gen.Bool.Array[1, 200].Sample(takes =>
        {
            UserIdPool pool = new(1000);
            HashSet<uint> held = [];
            foreach (bool take in takes)
            {
                if (take)
                {
                    Assert.True(held.Add(pool.TryTake()!.Value));
                }
                else if (held.Count > 0)
                {
                    uint one = held.First();
                    held.Remove(one);
                    pool.Release(one);
                }
            }
        });

    [Fact]
    public void When_all_user_ids_are_taken_there_is_none()
    {
        UserIdPool pool = new(1000);
        Assert.True(pool.TryTake(1005));
        for (int n = 0; n < UserIdPool.Size - 1; n++)
        {
            Assert.NotEqual(1005u, pool.TryTake());
        }

        Assert.Null(pool.TryTake());
        pool.Release(1005);
        Assert.Equal(1005u, pool.TryTake());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_empty_disk_is_a_sound_sparse_ext4_the_first_time_and_from_memory(bool journal)
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-scratch-").FullName;
        try
        {
            EmptyDisks disks = new(journal);
            foreach (string name in new[] { "made", "again" })
            {
                string path = Path.Combine(folder, name);
                await disks.CreateAsync(path, sizeMiB: 2048, Token);

                BufferedCommandResult check = await Cli.Wrap("e2fsck").WithArguments(["-fn", path]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(Token);
                Assert.True(check.ExitCode == 0, check.StandardOutput + check.StandardError);
                BufferedCommandResult usage = await Cli.Wrap("du").WithArguments(["-k", path]).ExecuteBufferedAsync(Token);
                Assert.InRange(int.Parse(usage.StandardOutput.Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture), 1, 1024);
                Assert.Equal(2048L << 20, new FileInfo(path).Length);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
