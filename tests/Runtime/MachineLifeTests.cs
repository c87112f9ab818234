using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>A machine's driver over a scripted backend: orders and deaths a real QEMU does not give on demand.</summary>
public sealed class MachineLifeTests : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private static readonly DiskAttachment Disk = new("img", "/disks/img", ReadOnly: true);
    private readonly FakeTimeProvider _time = new();
    private readonly ScriptedRun _run = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_machine_lives_through_every_state_and_each_has_a_newer_generation()
    {
        await using Machine machine = New();
        List<MachineSnapshot> seen = [machine.Current];
        Task watching = WatchAsync(machine, seen);

        await machine.StartAsync(Token).WaitAsync(Deadline, Token);
        Task stop = machine.StopAsync(TimeSpan.FromSeconds(5), Token);
        await _run.PowerOffAsked.Task.WaitAsync(Deadline, Token);
        _run.End("exited with code 0");
        await stop.WaitAsync(Deadline, Token);
        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);
        await watching.WaitAsync(Deadline, Token);

        Assert.Equal(
            [MachineState.Created, MachineState.Starting, MachineState.Running, MachineState.Stopping, MachineState.Stopped, MachineState.Removed],
            seen.Select(snapshot => snapshot.State));
        Assert.Equal([0, 1, 2, 3, 4, 5], seen.Select(snapshot => snapshot.Generation));
        Assert.Null(seen[4].Reason);
        Assert.Equal(["clean"], _run.Calls.TakeLast(1));
    }

    [Fact]
    public async Task Qemu_that_dies_by_itself_is_told_with_how_and_the_consoles_last_lines()
    {
        ConsoleLog console = new();
        await using Machine machine = New(console);
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);
        long generation = machine.Current.Generation;

        console.Append("Kernel panic - not syncing\n"u8);
        _run.End("exited with code 3 and said: boom");
        MachineSnapshot stopped = await machine.WaitForChangeAsync(generation, Token).WaitAsync(Deadline, Token);

        Assert.Equal(MachineState.Stopped, stopped.State);
        Assert.Contains("code 3 and said: boom", stopped.Reason, StringComparison.Ordinal);
        Assert.Contains("Kernel panic", stopped.Reason, StringComparison.Ordinal);
        Assert.Equal(0, stopped.QemuPid);
        Assert.Equal(MachineFault.WrongState, Assert.Throws<MachineException>(() => machine.Guest).Fault);
    }

    [Fact]
    public async Task Stop_kills_qemu_when_the_guest_ignores_the_grace_period()
    {
        _run.EndsOn = "kill";
        await using Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);

        Task stop = machine.StopAsync(TimeSpan.FromSeconds(30), Token);
        await _run.PowerOffAsked.Task.WaitAsync(Deadline, Token);
        Assert.Equal(["poweroff"], _run.Calls);
        await AdvanceUntilAsync(stop, TimeSpan.FromSeconds(1));

        Assert.Equal(["poweroff", "terminate", "kill"], _run.Calls);
        Assert.Equal(MachineState.Stopped, machine.Current.State);
        Assert.Null(machine.Current.Reason);
    }

    [Fact]
    public async Task Stop_without_grace_asks_nobody()
    {
        _run.EndsOn = "kill";
        await using Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);

        await machine.StopAsync(TimeSpan.Zero, Token).WaitAsync(Deadline, Token);

        Assert.Equal(["kill"], _run.Calls);
    }

    [Fact]
    public async Task A_later_stop_with_less_grace_hurries_the_earlier_one()
    {
        _run.EndsOn = "kill";
        await using Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);
        Task patient = machine.StopAsync(TimeSpan.FromHours(1), Token);
        await _run.PowerOffAsked.Task.WaitAsync(Deadline, Token);

        await machine.StopAsync(TimeSpan.Zero, Token).WaitAsync(Deadline, Token);

        await patient.WaitAsync(Deadline, Token);
        Assert.Equal("kill", _run.Calls[^1]);
    }

    [Fact]
    public async Task Qemu_that_outlives_the_kill_is_an_error_with_its_pid_and_may_be_asked_again()
    {
        await using Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);

        Task stop = machine.StopAsync(TimeSpan.Zero, Token);
        var failed = await Assert.ThrowsAsync<MachineException>(() => AdvanceUntilAsync(stop, TimeSpan.FromSeconds(1)));
        Assert.Equal(MachineFault.KillFailed, failed.Fault);
        Assert.Contains("process 4711", failed.Message, StringComparison.Ordinal);
        Assert.Equal(MachineState.Stopping, machine.Current.State);

        _run.EndsOn = "kill";
        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);
        Assert.Equal(MachineState.Removed, machine.Current.State);
    }

    [Fact]
    public async Task The_first_reason_wins_when_the_agent_is_lost_and_then_qemu_ends()
    {
        _run.EndsOn = "kill";
        await using Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);

        _run.LoseGuest("garbage on the channel");
        while (machine.Current.State != MachineState.Stopped)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Contains("garbage on the channel", machine.Current.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_start_reaches_every_asker_and_leaves_a_stopped_machine()
    {
        var cause = new MachineException(MachineFault.QemuFailed, MachineId.Parse("m"), "exit 1");
        await using Machine machine = new(Spec(), new ScriptedBackend((_, _) => Task.FromException<IMachineRun>(cause)), new ConsoleLog(), _time, NullLogger.Instance);

        Assert.Same(cause, await Assert.ThrowsAsync<MachineException>(() => machine.StartAsync(Token).WaitAsync(Deadline, Token)));

        Assert.Equal(MachineState.Stopped, machine.Current.State);
        Assert.Equal("exit 1", machine.Current.Reason);
        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);
    }

    [Fact]
    public async Task A_removal_during_the_start_gives_the_start_up()
    {
        TaskCompletionSource begun = new();
        await using Machine machine = new(Spec(), new ScriptedBackend(async (_, token) =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            throw new InvalidOperationException("not reached");
        }), new ConsoleLog(), _time, NullLogger.Instance);
        Task start = machine.StartAsync(Token);
        await begun.Task.WaitAsync(Deadline, Token);

        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);

        Assert.Equal(MachineFault.MachineGone, (await Assert.ThrowsAsync<MachineException>(() => start)).Fault);
        Assert.Equal(MachineState.Removed, machine.Current.State);
    }

    [Fact]
    public async Task A_disk_that_failed_may_be_tried_again_and_one_that_did_not_go_is_still_there()
    {
        await using Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);

        _run.DiskFault = new IOException("no such file");
        Assert.Equal(MachineFault.DiskFailed, (await Assert.ThrowsAsync<MachineException>(() => machine.AttachDiskAsync(Disk, Token))).Fault);
        _run.DiskFault = null;
        await machine.AttachDiskAsync(Disk, Token).WaitAsync(Deadline, Token);
        await machine.AttachDiskAsync(Disk, Token).WaitAsync(Deadline, Token);
        Assert.Single(_run.Calls, "plug img");

        _run.DiskFault = new IOException("busy");
        await Assert.ThrowsAsync<MachineException>(() => machine.DetachDiskAsync("img", Token));
        Assert.Equal([Disk], machine.Disks);
        _run.DiskFault = null;
        await machine.DetachDiskAsync("img", Token).WaitAsync(Deadline, Token);
        await machine.DetachDiskAsync("img", Token).WaitAsync(Deadline, Token);
        Assert.Empty(machine.Disks);
        Assert.Single(_run.Calls, "unplug img");
    }

    [Fact]
    public async Task Letting_go_leaves_qemu_alone_and_fails_who_waits()
    {
        Machine machine = New();
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);
        Task<MachineSnapshot> waiting = machine.WaitForChangeAsync(machine.Current.Generation, Token);

        await machine.LetGoAsync().WaitAsync(Deadline, Token);
        await machine.LetGoAsync().WaitAsync(Deadline, Token);

        Assert.Equal(["let go"], _run.Calls);
        Assert.Equal(MachineFault.MachineGone, (await Assert.ThrowsAsync<MachineException>(() => waiting)).Fault);
        await Assert.ThrowsAsync<MachineException>(() => machine.AttachDiskAsync(Disk, Token));
    }

    public ValueTask DisposeAsync() => _run.DisposeAsync();

    private static MachineSpec Spec() => new() { Id = MachineId.Parse("m") };

    private static async Task WatchAsync(Machine machine, List<MachineSnapshot> seen)
    {
        while (seen[^1].State != MachineState.Removed)
        {
            seen.Add(await machine.WaitForChangeAsync(seen[^1].Generation, Token));
        }
    }

    private Machine New(ConsoleLog? console = null) =>
        new(Spec(), new ScriptedBackend((_, _) => Task.FromResult<IMachineRun>(_run)), console ?? new ConsoleLog(), _time, NullLogger.Instance);

    private async Task AdvanceUntilAsync(Task task, TimeSpan step)
    {
        using CancellationTokenSource deadline = new(Deadline);
        while (!task.IsCompleted)
        {
            deadline.Token.ThrowIfCancellationRequested();
            _time.Advance(step);
            await Task.Yield();
        }

        await task;
    }
}
