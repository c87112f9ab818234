using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>A log file over its life: written, moved away, found again.</summary>
public sealed class ContainerLogTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vks-log-").FullName;
    private LogPosition? _kept;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string LogFile => Path.Combine(_directory, "pod", "0.log");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_log_that_was_moved_away_goes_on_in_a_new_file_without_losing_a_line()
    {
        await using ContainerLog log = Open();
        await WriteAsync(log, "one\n");
        File.Move(LogFile, LogFile + ".1");
        await WriteAsync(log, "two\n");

        await log.ReopenAsync(Token);
        await WriteAsync(log, "three\n");

        Assert.Equal(["one", "two"], Contents(LogFile + ".1"));
        Assert.Equal(["three"], Contents(LogFile));
        Assert.Equal(14, log.Position.OutputBytes);
    }

    [Fact]
    public async Task A_killed_daemon_finds_the_exact_position_from_the_log_itself()
    {
        await WriteAsync(Open(), "stored before the kill\nand this\n");
        Assert.Equal(0, _kept!.OutputBytes);

        await using ContainerLog next = Open();

        Assert.Equal(32, next.Position.OutputBytes);
    }

    [Fact]
    public async Task An_entry_written_half_is_cut_off_and_its_bytes_are_asked_for_again()
    {
        await WriteAsync(Open(), "whole\n");
        await File.AppendAllTextAsync(LogFile, "2016-10-06T00:17:09.669794200Z stdout F ha", Token);

        await using ContainerLog next = Open();
        await WriteAsync(next, "half\n");

        Assert.Equal(["whole", "half"], Contents(LogFile));
        Assert.Equal(11, next.Position.OutputBytes);
    }

    [Fact]
    public async Task A_log_moved_away_while_no_daemon_ran_goes_on_from_the_kept_position()
    {
        ContainerLog first = Open();
        await WriteAsync(first, "old\n");
        await first.CompleteAsync(Token);
        await first.DisposeAsync();
        File.Move(LogFile, LogFile + ".1");

        await using ContainerLog next = Open();

        Assert.Equal(4, next.Position.OutputBytes);
        Assert.Equal(0, next.Position.FileBytes);
    }

    [Fact]
    public async Task A_new_container_does_not_count_what_an_earlier_one_left_in_the_same_file()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(LogFile)!);
        await File.WriteAllTextAsync(LogFile, "2016-10-06T00:17:09.669794200Z stdout F earlier\n", Token);

        await using ContainerLog log = Open();
        await WriteAsync(log, "mine\n");

        Assert.Equal(["earlier", "mine"], Contents(LogFile));
        Assert.Equal(5, log.Position.OutputBytes);
    }

    [Fact]
    public async Task A_container_without_a_log_path_counts_its_output_and_keeps_none_of_it()
    {
        await using ContainerLog log = ContainerLog.OpenAt("", null, position => _kept = position, TimeProvider.System, NullLogger.Instance);

        await WriteAsync(log, "gone\n");

        Assert.Equal(5, log.Position.OutputBytes);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    private ContainerLog Open() => ContainerLog.OpenAt(LogFile, _kept, position => _kept = position, TimeProvider.System, NullLogger.Instance);

    private static async Task WriteAsync(ContainerLog log, string text) =>
        Assert.Equal(text.Length, await log.WriteAsync(new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(text)), end: false, isError: false, Token));

    private static string[] Contents(string path) =>
        [.. File.ReadAllLines(path).Select(line => line.Split(' ', 4)[3])];
}
