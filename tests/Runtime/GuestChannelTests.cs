using System.IO.Pipelines;
using Vks.Agent.Channel;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Runtime;

/// <summary>Calls, streams and sessions between the real client and the real agent channel.</summary>
public sealed class GuestChannelTests
{
    private const int Window = ProtocolLimits.InitialWindowBytes;
    private const string Method = "test.method";

    [Theory]
    [InlineData(GuestFault.NotFound)]
    [InlineData(GuestFault.CannotExecute)]
    [InlineData(GuestFault.ConnectionFailed)]
    public async Task A_fault_the_handler_chooses_reaches_the_caller_with_its_words(GuestFault fault)
    {
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, (_, _) => throw new AgentException(fault, "no such thing: x")));
        GuestClient client = await rig.ConnectAsync();

        GuestException thrown = await Assert.ThrowsAsync<GuestException>(() => GuestRig.CallAsync(client, Method, new Empty(), GuestJson.Default.Empty));

        Assert.Equal((fault, false), (thrown.Fault, thrown.ConnectionLost));
        Assert.Contains("no such thing: x", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_requests_are_answered_and_the_session_goes_on()
    {
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, (_, _) => throw new InvalidDataException("disk on fire")));
        GuestClient client = await rig.ConnectAsync();

        Assert.Equal(GuestFault.Failed, await FaultOfAsync(GuestRig.CallAsync(client, Method, new Empty(), GuestJson.Default.Empty)));
        Assert.Equal(GuestFault.UnknownMethod, await FaultOfAsync(GuestRig.CallAsync(client, "no.such", new Empty(), GuestJson.Default.Empty)));
        Assert.Equal(
            GuestFault.InvalidRequest,
            await FaultOfAsync(GuestRig.CallAsync(client, GuestMethods.Ping, new DialRequest("h", 1), GuestJson.Default.DialRequest)));
        Assert.Equal(
            GuestFault.InvalidRequest,
            await FaultOfAsync(GuestRig.CallAsync(client, GuestMethods.Ping, new DialRequest(new string('x', 5_000_000), 1), GuestJson.Default.DialRequest)));
        await GuestRig.PingAsync(client);
        Assert.Contains(rig.Log, line => line.Contains("disk on fire", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_stream_that_nobody_reads_waits_at_its_window_and_holds_up_no_other_call()
    {
        long written = 0;
        var acknowledged = new TaskCompletionSource<(GuestStream Stream, long Total)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, async (call, cancellationToken) =>
        {
            call.Acknowledged = (stream, total) => acknowledged.TrySetResult((stream, total));
            while (written < 3 * Window)
            {
                await call.WriteAsync(GuestStream.Output, new byte[4096], cancellationToken);
                Interlocked.Add(ref written, 4096);
            }
        }));
        GuestClient client = await rig.ConnectAsync();
        await using GuestCall<Empty> slow = await GuestRig.OpenAsync(client, Method);

        await EventuallyAsync(() => Interlocked.Read(ref written) == Window);
        await GuestRig.PingAsync(client);
        Assert.Equal(Window, Interlocked.Read(ref written));
        Assert.False(acknowledged.Task.IsCompleted);

        long got = await DrainAsync(slow.Output);
        await slow.Completion;
        Assert.Equal(3 * Window, got);
        (GuestStream stream, long total) = await acknowledged.Task.WaitAsync(GuestRig.Deadline);
        Assert.Equal(GuestStream.Output, stream);
        Assert.InRange(total, 1, 3 * Window);
    }

    [Fact]
    public async Task Input_waits_for_a_handler_that_does_not_read_and_arrives_whole_when_it_does()
    {
        var read = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        long got = 0;
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, async (call, cancellationToken) =>
        {
            await read.Task.WaitAsync(cancellationToken);
            got = await DrainAsync(call.Input);
        }));
        GuestClient client = await rig.ConnectAsync();
        await using GuestCall<Empty> call = await GuestRig.OpenAsync(client, Method);

        await call.WriteInputAsync(new byte[Window], GuestRig.Deadline);
        Task more = call.WriteInputAsync(new byte[Window], GuestRig.Deadline).AsTask();
        await GuestRig.PingAsync(client);
        Assert.False(more.IsCompleted);

        read.SetResult();
        await more;
        await call.EndInputAsync(GuestRig.Deadline);
        await call.Completion;
        Assert.Equal(2 * Window, got);
        GuestException late = await Assert.ThrowsAsync<GuestException>(async () => await call.WriteInputAsync(new byte[1], GuestRig.Deadline));
        Assert.Equal(GuestFault.WrongState, late.Fault);
    }

    [Fact]
    public async Task Output_and_Error_arrive_apart_and_can_be_read_after_the_result()
    {
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, async (call, cancellationToken) =>
        {
            await call.WriteAsync(GuestStream.Output, new byte[1000], cancellationToken);
            await call.WriteAsync(GuestStream.Error, new byte[10], cancellationToken);
            await call.EndAsync(GuestStream.Error);
        }));
        GuestClient client = await rig.ConnectAsync();

        await using GuestCall<Empty> call = await GuestRig.OpenAsync(client, Method);
        await call.Completion;

        Assert.Equal(1000, await DrainAsync(call.Output));
        Assert.Equal(10, await DrainAsync(call.Error));
    }

    [Fact]
    public async Task A_stream_its_reader_has_completed_does_not_hold_the_guest_up()
    {
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, async (call, cancellationToken) =>
            await call.WriteAsync(GuestStream.Error, new byte[5 * Window], cancellationToken)));
        GuestClient client = await rig.ConnectAsync();

        await using GuestCall<Empty> call = await GuestRig.OpenAsync(client, Method);
        await call.Error.CompleteAsync();

        await call.Completion.WaitAsync(GuestRig.Deadline);
    }

    [Fact]
    public async Task The_callers_token_cancels_the_call_in_the_guest_and_ends_the_waiting()
    {
        var (handler, ended) = WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        GuestClient client = await rig.ConnectAsync();
        using var stop = new CancellationTokenSource();

        Task call = GuestRig.CallAsync(client, Method, new Empty(), GuestJson.Default.Empty, stop.Token);
        await GuestRig.PingAsync(client);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Equal(CallEnd.HostCancelled, await ended.WaitAsync(GuestRig.Deadline));
        await GuestRig.PingAsync(client);
    }

    [Fact]
    public async Task Disposing_an_open_call_cancels_it_in_the_guest()
    {
        var (handler, ended) = WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        GuestClient client = await rig.ConnectAsync();

        GuestCall<Empty> call = await GuestRig.OpenAsync(client, Method);
        await call.DisposeAsync();

        Assert.Equal(CallEnd.HostCancelled, await ended.WaitAsync(GuestRig.Deadline));
        Assert.Equal(GuestFault.Cancelled, await FaultOfAsync(call.Completion));
    }

    [Fact]
    public async Task A_cut_wire_fails_every_open_call_and_detaches_the_handlers()
    {
        var (handler, ended) = WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        Stream wire = rig.Wire();
        GuestClient client = await rig.ConnectAsync(wire, usedBefore: false);
        await using GuestCall<Empty> call = await GuestRig.OpenAsync(client, Method);
        Task<ReadResult> reading = call.Output.ReadAsync(GuestRig.Deadline).AsTask();
        await GuestRig.PingAsync(client);

        await wire.DisposeAsync();

        Assert.True((await Assert.ThrowsAsync<GuestException>(() => call.Completion)).ConnectionLost);
        Assert.True((await Assert.ThrowsAsync<GuestException>(() => reading)).ConnectionLost);
        Assert.True((await client.Closed.WaitAsync(GuestRig.Deadline)).ConnectionLost);
        Assert.True((await Assert.ThrowsAsync<GuestException>(() => GuestRig.PingAsync(client))).ConnectionLost);
        Assert.Equal(CallEnd.SessionEnded, await ended.WaitAsync(GuestRig.Deadline));

        GuestClient again = await rig.ConnectAsync(usedBefore: true);
        await GuestRig.PingAsync(again);
    }

    [Fact]
    public async Task Events_arrive_in_order()
    {
        await using var rig = new GuestRig();
        GuestClient client = await rig.ConnectAsync();
        List<string> seen = [];
        client.EventReceived += guestEvent => seen.Add(guestEvent.ContainerId);

        for (int index = 0; index < 100; index++)
        {
            rig.Agent.Publish(new GuestEvent(GuestEventKind.ContainerExited, $"{index}"));
        }

        await GuestRig.PingAsync(client);
        Assert.Equal(Enumerable.Range(0, 100).Select(index => $"{index}"), seen);
    }

    [Fact]
    public async Task An_event_handler_that_throws_does_not_end_the_connection()
    {
        await using var rig = new GuestRig();
        GuestClient client = await rig.ConnectAsync();
        client.EventReceived += _ => throw new InvalidOperationException("handler");

        rig.Agent.Publish(new GuestEvent(GuestEventKind.ContainerExited, "c"));

        await GuestRig.PingAsync(client);
    }

    [Fact]
    public async Task More_calls_than_allowed_are_refused_and_a_free_place_is_used()
    {
        var (handler, _) = WaitsForItsEnd();
        await using var rig = new GuestRig(table => GuestRig.Add(table, Method, handler));
        GuestClient client = await rig.ConnectAsync();
        List<GuestCall<Empty>> open = [];
        for (int count = 0; count < ProtocolLimits.MaxConcurrentCalls; count++)
        {
            open.Add(await GuestRig.OpenAsync(client, Method));
        }

        Assert.Equal(GuestFault.ResourceExhausted, await FaultOfAsync(GuestRig.PingAsync(client)));
        await open[0].DisposeAsync();
        await EventuallyAsync(() => GuestRig.PingAsync(client).ContinueWith(ping => ping.IsCompletedSuccessfully, TaskScheduler.Default));
    }

    internal static (Func<AgentCall, CancellationToken, Task> Handler, Task<CallEnd> Ended) WaitsForItsEnd()
    {
        var ended = new TaskCompletionSource<CallEnd>(TaskCreationOptions.RunContinuationsAsynchronously);
        return (async (call, cancellationToken) =>
        {
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ended.TrySetResult(call.End);
            cancellationToken.ThrowIfCancellationRequested();
        }, ended.Task);
    }

    internal static async Task<GuestFault> FaultOfAsync(Task call) => (await Assert.ThrowsAsync<GuestException>(() => call)).Fault;

    internal static async Task<long> DrainAsync(PipeReader reader)
    {
        long total = 0;
        while (true)
        {
            ReadResult result = await reader.ReadAsync(GuestRig.Deadline);
            total += result.Buffer.Length;
            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return total;
            }
        }
    }

    private static Task EventuallyAsync(Func<bool> condition) => EventuallyAsync(() => Task.FromResult(condition()));

    private static async Task EventuallyAsync(Func<Task<bool>> condition)
    {
        CancellationToken deadline = GuestRig.Deadline;
        while (!await condition())
        {
            await Task.Delay(5, deadline);
        }
    }
}
