using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Vks.Spherelet.Pods;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Disks that do not take a log's entries: they hold a container up for a while, never for ever, and what is lost is told.</summary>
public sealed class ContainerLogStallTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly FakeTimeProvider _time = new();
    private LogPosition? _kept;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_disk_that_is_full_for_a_moment_costs_no_line()
    {
        await using SmallDisk disk = await SmallDisk.CreateAsync(256);
        await using ContainerLog log = Open(disk);
        disk.Fill();

        Task<long> write = WriteAsync(log, Lines('a', 5000));
        await AdvanceAsync(TimeSpan.FromSeconds(20));
        Assert.False(write.IsCompleted, "the container is held up as long as the disk may recover");
        disk.Free();
        await AdvanceUntilAsync(write);
        await log.CompleteAsync(Token);

        Assert.Equal(Lines('a', 5000), Content(disk));
        Assert.Equal(0, log.DroppedBytes);
    }

    [Fact]
    public async Task A_disk_that_stays_full_lets_the_container_go_on_and_the_log_says_what_is_missing()
    {
        await using SmallDisk disk = await SmallDisk.CreateAsync(256);
        ContainerLog log = Open(disk);
        await WriteAsync(log, "before\n");
        disk.Fill();

        Task<long> held = WriteAsync(log, Lines('a', 5000));
        await AdvanceUntilAsync(held);
        Assert.Equal(3000, await WriteAsync(log, Lines('b', 3000)).WaitAsync(Deadline, Token));
        Assert.Equal(3000, log.DroppedBytes);
        disk.Free();
        await Eventually.TrueAsync(
            async () =>
            {
                await AdvanceAsync(TimeSpan.FromSeconds(1));
                return Content(disk).Length >= 5000;
            },
            Deadline, () => "the entries that the container waited for did not come", Token);
        await WriteAsync(log, "after\n");

        string[] lines = await File.ReadAllLinesAsync(LogFile(disk), Token);
        Assert.EndsWith(" stderr F:vks 3000 bytes of output are missing here: the disk of this log did not take them for 30 s", lines[^2], StringComparison.Ordinal);
        Assert.EndsWith(" stdout F after", lines[^1], StringComparison.Ordinal);
        Assert.Equal("before\n" + Lines('a', 5000) + "after\n", Content(disk));
        Assert.Equal(0, log.DroppedBytes);
        Assert.Equal(7 + 5000 + 3000 + 6, log.Position.OutputBytes);

        // A daemon killed here finds the same position, though the log has an entry that stands for no byte.
        await log.DisposeAsync();
        await using ContainerLog next = Open(disk);
        Assert.Equal(log.Position, next.Position);
    }

    [Fact]
    public async Task The_last_that_is_told_of_an_ended_container_waits_for_the_disk()
    {
        await using SmallDisk disk = await SmallDisk.CreateAsync(256);
        await using ContainerLog log = Open(disk);
        disk.Fill();
        await AdvanceUntilAsync(WriteAsync(log, Lines('a', 5000)));
        await WriteAsync(log, Lines('b', 3000));

        Task complete = log.CompleteAsync(Token);
        await AdvanceAsync(TimeSpan.FromMinutes(5));
        Assert.False(complete.IsCompleted, "the end was told of a log that lacks its last entries");
        disk.Free();
        await AdvanceUntilAsync(complete);

        Assert.True(log.Position.Complete);
        Assert.EndsWith("3000 bytes of output are missing here: the disk of this log did not take them for 30 s\n", await File.ReadAllTextAsync(LogFile(disk), Token), StringComparison.Ordinal);
        Assert.Equal(Lines('a', 5000), Content(disk));
    }

    [Fact]
    public async Task A_log_that_is_rotated_away_from_a_full_disk_goes_on_at_once()
    {
        await using SmallDisk full = await SmallDisk.CreateAsync(256);
        await using SmallDisk other = await SmallDisk.CreateAsync(256);
        string folder = Directory.CreateTempSubdirectory("vks-log-").FullName;
        try
        {
            string link = Path.Combine(folder, "0.log");
            File.CreateSymbolicLink(link, LogFile(full));
            await using ContainerLog log = ContainerLog.OpenAt(link, null, Keep, _time, NullLogger.Instance);
            full.Fill();
            await AdvanceUntilAsync(WriteAsync(log, Lines('a', 5000)));
            File.Delete(link);
            File.CreateSymbolicLink(link, LogFile(other));

            await log.ReopenAsync(Token);
            await WriteAsync(log, "new\n").WaitAsync(Deadline, Token);
            full.Free();
            await AdvanceUntilAsync(log.CompleteAsync(Token));

            Assert.Equal(Lines('a', 5000), Content(full));
            Assert.Equal("new\n", Content(other));
            Assert.Equal(5004, log.Position.OutputBytes);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_position_that_cannot_be_kept_stops_no_container()
    {
        await using SmallDisk disk = await SmallDisk.CreateAsync(256);
        await using ContainerLog log = ContainerLog.OpenAt(
            LogFile(disk), null, _ => throw new IOException("No space left on device"), _time, NullLogger.Instance);

        Assert.Equal(4, await WriteAsync(log, "one\n"));
        await log.CompleteAsync(Token);

        Assert.Equal("one\n", Content(disk));
    }

    private static string LogFile(SmallDisk disk) => Path.Combine(disk.Folder, "0.log");

    private static string Lines(char letter, int bytes) => string.Concat(Enumerable.Repeat(new string(letter, 99) + "\n", bytes / 100));

    private static string Content(SmallDisk disk) => string.Concat(
        File.ReadAllLines(LogFile(disk)).Select(line => line.Split(' ', 4)).Where(parts => parts is [_, _, "F", _]).Select(parts => parts[3] + "\n"));

    private static Task<long> WriteAsync(ContainerLog log, string text) =>
        log.WriteAsync(new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(text)), end: false, isError: false, Token).AsTask();

    private ContainerLog Open(SmallDisk disk) => ContainerLog.OpenAt(LogFile(disk), _kept, Keep, _time, NullLogger.Instance);

    private void Keep(LogPosition position) => _kept = position;

    /// <summary>Lets the time pass in steps, with a breath for what waits on other threads.</summary>
    private async Task AdvanceAsync(TimeSpan span)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < span; passed += TimeSpan.FromSeconds(1))
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(2), Token);
        }
    }

    private async Task AdvanceUntilAsync(Task task)
    {
        using CancellationTokenSource deadline = new(Deadline);
        while (!task.IsCompleted)
        {
            deadline.Token.ThrowIfCancellationRequested();
            await AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        await task;
    }
}
