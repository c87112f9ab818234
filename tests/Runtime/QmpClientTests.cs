using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Qmp;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

public sealed class QmpClientTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_may_come_in_another_order()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            JsonElement first = await peer.ReadAsync();
            JsonElement second = await peer.ReadAsync();
            await peer.ReplyAsync(second, """{"actual": 2}""");
            await peer.ReplyAsync(first, """{"actual": 1}""");
        });
        await using QmpClient client = await fake.ConnectAsync(Token);

        Task<long> first = client.QueryBalloonAsync(Token);
        Task<long> second = client.QueryBalloonAsync(Token);

        Assert.Equal(1, await first.WaitAsync(Deadline, Token));
        Assert.Equal(2, await second.WaitAsync(Deadline, Token));
    }

    [Fact]
    public async Task A_refusal_carries_class_and_description()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer => await peer.RefuseAsync(await peer.ReadAsync(), "GenericError", "no memory to give"));
        await using QmpClient client = await fake.ConnectAsync(Token);

        QmpException refused = await Assert.ThrowsAsync<QmpException>(() => client.SetBalloonAsync(1, Token));

        Assert.Equal((QmpFault.CommandFailed, "balloon", "GenericError"), (refused.Fault, refused.Command, refused.ErrorClass));
        Assert.Contains("no memory to give", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_between_command_and_answer_reach_every_reader()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            JsonElement command = await peer.ReadAsync();
            await peer.TellAsync("STOP");
            await peer.TellAsync("SHUTDOWN", """{"guest": true, "reason": "guest-shutdown", "added-later": 1}""");
            await peer.TellAsync("NEW_IN_QEMU_99", """{"x": [1]}""");
            await peer.ReplyAsync(command);
        });
        await using QmpClient client = await fake.ConnectAsync(Token);
        IAsyncEnumerable<QmpEvent> one = client.ReadEventsAsync(Token);
        IAsyncEnumerable<QmpEvent> other = client.ReadEventsAsync(Token);

        await client.ContinueAsync(Token).WaitAsync(Deadline, Token);

        QmpEvent[] events = await one.ToArrayAsync(Token);
        DateTimeOffset at = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000).AddMicroseconds(5);
        Assert.Equal(
            [new QmpEvent.Stopped { At = at }, new QmpEvent.Shutdown(true, "guest-shutdown") { At = at }, new QmpEvent.Other("NEW_IN_QEMU_99", """{"x": [1]}""") { At = at }],
            events);
        Assert.Equal(events, await other.ToArrayAsync(Token));
    }

    [Fact]
    public async Task A_peer_that_closes_in_the_middle_of_an_answer_fails_what_waits_and_what_comes()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            await peer.ReadAsync();
            await peer.SendAsync("""{"return": {"runn""");
        });
        await using QmpClient client = await fake.ConnectAsync(Token);

        QmpException waiting = await Assert.ThrowsAsync<QmpException>(() => client.QueryStatusAsync(Token));
        QmpException later = await Assert.ThrowsAsync<QmpException>(() => client.QueryStatusAsync(Token));

        Assert.Equal(QmpFault.ConnectionLost, waiting.Fault);
        Assert.Equal(QmpFault.ConnectionLost, later.Fault);
        await client.Closed.WaitAsync(Deadline, Token);
    }

    [Theory]
    [InlineData("not json at all\r\n")]
    [InlineData("{\"return\": {}} trailing\r\n")]
    [InlineData("[1, 2]\r\n")]
    [InlineData("null\r\n")]
    [InlineData("{}\r\n")]
    [InlineData("{\"return\": {}}\r\n")]
    [InlineData("{\"id\": \"text\", \"return\": {}}\r\n")]
    [InlineData("\u0000\u0001\u0002\n")]
    public async Task Garbage_ends_the_connection_as_a_protocol_error(string garbage)
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            await peer.ReadAsync();
            await peer.SendAsync(garbage);
            await peer.WaitForEndAsync();
        });
        await using QmpClient client = await fake.ConnectAsync(Token);

        QmpException failure = await Assert.ThrowsAsync<QmpException>(() => client.QueryStatusAsync(Token).WaitAsync(Deadline, Token));

        Assert.Equal(QmpFault.ProtocolError, failure.Fault);
    }

    [Fact]
    public async Task An_answer_of_another_shape_is_a_protocol_error_of_that_command_only()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            await peer.ReplyAsync(await peer.ReadAsync(), "[7]");
            await peer.ReplyAsync(await peer.ReadAsync(), """{"running": true, "status": "running", "singlestep": false}""");
        });
        await using QmpClient client = await fake.ConnectAsync(Token);

        QmpException failure = await Assert.ThrowsAsync<QmpException>(() => client.QueryStatusAsync(Token));

        Assert.Equal(QmpFault.ProtocolError, failure.Fault);
        Assert.Equal(new QmpRunState(true, "running"), await client.QueryStatusAsync(Token).WaitAsync(Deadline, Token));
    }

    [Fact]
    public async Task A_cancelled_command_ends_the_waiting_only()
    {
        TaskCompletionSource cancelled = new();
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            JsonElement slow = await peer.ReadAsync();
            await cancelled.Task;
            await peer.ReplyAsync(slow);
            await peer.ReplyAsync(await peer.ReadAsync(), """{"running": false, "status": "paused"}""");
        });
        await using QmpClient client = await fake.ConnectAsync(Token);
        using CancellationTokenSource caller = new();

        Task stop = client.StopAsync(caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stop);
        cancelled.SetResult();

        Assert.Equal(new QmpRunState(false, "paused"), await client.QueryStatusAsync(Token).WaitAsync(Deadline, Token));
    }

    [Fact]
    public async Task A_peer_that_greets_wrongly_is_no_qemu()
    {
        await using FakeQmp fake = FakeQmp.Start(peer => peer.SendAsync("SSH-2.0-OpenSSH\r\n"));

        QmpException failure = await Assert.ThrowsAsync<QmpException>(() => fake.ConnectAsync(Token));

        Assert.Equal(QmpFault.ProtocolError, failure.Fault);
    }

    [Fact]
    public async Task A_refused_device_takes_block_node_and_descriptor_back()
    {
        List<string> commands = [];
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            while (true)
            {
                JsonElement command = await peer.ReadAsync();
                string name = command.GetProperty("execute").GetString()!;
                commands.Add(name);
                await (name switch
                {
                    "qom-list" => peer.ReplyAsync(command, "[]"),
                    "add-fd" => peer.ReplyAsync(command, """{"fdset-id": 4, "fd": 20}"""),
                    "device_add" => peer.RefuseAsync(command, "GenericError", "Bus 'scsi0.0' not found"),
                    "device_del" => peer.RefuseAsync(command, "DeviceNotFound", "Device 'disk-a' not found"),
                    "query-named-block-nodes" => peer.ReplyAsync(command, """[{"node-name": "disk-a"}, {"node-name": "other"}]"""),
                    "query-fdsets" => peer.ReplyAsync(command, """[{"fdset-id": 4, "fds": [{"fd": 20, "opaque": "disk-a"}]}, {"fdset-id": 5, "fds": [{"fd": 21}]}]"""),
                    _ => peer.ReplyAsync(command),
                });
            }
        });
        await using QmpClient client = await fake.ConnectAsync(Token);
        using SafeFileHandle file = File.OpenHandle("/dev/null");

        QmpException refused = await Assert.ThrowsAsync<QmpException>(() => client.AttachDiskAsync(new QmpDisk("a", ReadOnly: true), file, Token));

        Assert.Equal("device_add", refused.Command);
        Assert.Equal(
            ["qom-list", "add-fd", "blockdev-add", "device_add", "device_del", "query-named-block-nodes", "blockdev-del", "query-fdsets", "remove-fd"], commands);
    }

    [Fact]
    public async Task A_guest_that_does_not_let_go_of_a_disk_is_a_timeout()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer =>
        {
            await peer.ReplyAsync(await peer.ReadAsync());
            await peer.TellAsync("DEVICE_DELETED", """{"path": "/machine/peripheral/disk-b", "device": "disk-b"}""");
            await peer.WaitForEndAsync();
        });
        await using QmpClient client = await fake.ConnectAsync(Token);

        QmpException failure = await Assert.ThrowsAsync<QmpException>(() => client.DetachDiskAsync("a", TimeSpan.FromMilliseconds(200), Token));

        Assert.Equal((QmpFault.TimedOut, "device_del"), (failure.Fault, failure.Command));
    }

    [Theory]
    [InlineData("")]
    [InlineData("twenty-one-characters")]
    [InlineData("a,b")]
    [InlineData("a\n")]
    public async Task A_serial_that_scsi_cannot_carry_is_refused_before_anything_is_sent(string serial)
    {
        await using FakeQmp fake = FakeQmp.StartReady(peer => peer.WaitForEndAsync());
        await using QmpClient client = await fake.ConnectAsync(Token);
        using SafeFileHandle file = File.OpenHandle("/dev/null");

        await Assert.ThrowsAsync<ArgumentException>(() => client.AttachDiskAsync(new QmpDisk(serial, ReadOnly: true), file, Token));
    }

    [Fact]
    public async Task Quit_counts_a_lost_connection_as_success()
    {
        await using FakeQmp fake = FakeQmp.StartReady(async peer => await peer.ReadAsync());
        await using QmpClient client = await fake.ConnectAsync(Token);

        await client.QuitAsync(Token).WaitAsync(Deadline, Token);
    }
}
