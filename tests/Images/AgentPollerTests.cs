using Vks.Agent.Containers;
using Vks.Agent.Host;

namespace Vks.Tests.Images;

/// <summary>Descriptors that the agent watches, by pipes.</summary>
public sealed class AgentPollerTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    /// <summary>In the guest the first thread does this.</summary>
    static AgentPollerTests() => new Thread(Poller.Shared.Run) { IsBackground = true, Name = "agent poller" }.Start();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Bytes_pass_a_pipe_that_is_full_and_empty_in_turns()
    {
        (int reader, int writer) = Descriptors.Pipe();
        await using var source = new AsyncFd(reader);
        await using var sink = new AsyncFd(writer);
        byte[] sent = [.. Enumerable.Range(0, 1_000_000).Select(at => (byte)(at % 251))];
        var got = new MemoryStream();

        Task writing = WriteAsync();
        await source.CopyToAsync(got, Token).WaitAsync(s_deadline, Token);
        await writing;

        Assert.Equal(sent, got.ToArray());

        async Task WriteAsync()
        {
            await sink.WriteAsync(sent, Token);
            await sink.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_wait_that_was_given_up_takes_no_later_event_with_it()
    {
        var signal = new AsyncSignal();
        using var given = new CancellationTokenSource();
        Task first = signal.WaitAsync(given.Token);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);

        signal.Set();

        await signal.WaitAsync(Token).WaitAsync(s_deadline, Token);
    }

    [Fact]
    public async Task A_kill_for_want_of_memory_is_reported_once_and_when_it_happens()
    {
        (int reader, int writer) = Descriptors.Pipe();
        await using var announce = new AsyncFd(writer);
        var happened = false;
        var reports = 0;
        Task watch = OutOfMemoryWatch.RunAsync(new AsyncFd(reader), () => Volatile.Read(ref happened), () => reports++, Token);

        await announce.WriteAsync(new byte[1], Token);
        Assert.NotSame(watch, await Task.WhenAny(watch, Task.Delay(50, Token)));
        Assert.Equal(0, reports);

        Volatile.Write(ref happened, true);
        await announce.WriteAsync(new byte[1], Token);
        await watch.WaitAsync(s_deadline, Token);
        Assert.Equal(1, reports);
    }

    [Fact]
    public async Task A_watch_ends_with_its_container()
    {
        (int reader, int writer) = Descriptors.Pipe();
        await using var announce = new AsyncFd(writer);
        using var ended = new CancellationTokenSource();
        var source = new AsyncFd(reader);
        Task watch = OutOfMemoryWatch.RunAsync(source, () => false, () => Assert.Fail("It did not happen."), ended.Token);

        await ended.CancelAsync();
        await watch.WaitAsync(s_deadline, Token);

        Assert.Equal(-1, source.Number);
    }
}
