using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Requests that meet what is just happening: nobody waits for ever, and nobody is told a wrong outcome.</summary>
public sealed class MachineRaceTests : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private readonly FakeTimeProvider _time = new();
    private readonly ScriptedRun _run = new() { EndsOn = "kill" };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_start_that_succeeds_after_the_stop_is_told_as_stopped()
    {
        TaskCompletionSource begun = new();
        TaskCompletionSource<IMachineRun> booted = new();
        await using Machine machine = New((_, _) =>
        {
            begun.SetResult();
            return booted.Task; // deaf to the token: past the point where it could be given up
        });
        Task start = machine.StartAsync(Token);
        await begun.Task.WaitAsync(Deadline, Token);
        Task stop = machine.StopAsync(TimeSpan.Zero, Token);
        await WaitForAsync(machine, MachineState.Stopping);

        booted.SetResult(_run);
        await stop.WaitAsync(Deadline, Token);

        var told = await Assert.ThrowsAsync<MachineException>(() => start.WaitAsync(Deadline, Token));
        Assert.Equal(MachineFault.MachineGone, told.Fault);
        Assert.Equal(["kill"], _run.Calls);
        Assert.Equal(MachineState.Stopped, machine.Current.State);
    }

    [Fact]
    public async Task Who_asks_for_removal_at_the_moment_it_happens_has_what_he_wants()
    {
        await using Machine machine = New((_, _) => Task.FromResult<IMachineRun>(_run));
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);
        List<Task> late = [];
        Task? start = null;
        _run.OnClean = () =>
        {
            // Still within the driver: these wait in its queue when the machine becomes Removed.
            late.AddRange([machine.RemoveAsync(Token), machine.StopAsync(TimeSpan.Zero, Token), machine.DetachDiskAsync("a", Token)]);
            start = machine.StartAsync(Token);
        };

        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);

        await Task.WhenAll(late).WaitAsync(Deadline, Token);
        await Assert.ThrowsAsync<MachineException>(() => start!.WaitAsync(Deadline, Token));
        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);
    }

    [Fact]
    public async Task A_removal_that_could_not_clean_may_be_asked_again_at_once_and_any_number_of_times()
    {
        await using Machine machine = New((_, _) => Task.FromResult<IMachineRun>(_run));
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);
        _run.CleanFault = new IOException("busy");

        for (int n = 0; n < 2000; n++)
        {
            Assert.Same(_run.CleanFault, await Assert.ThrowsAsync<IOException>(() => machine.RemoveAsync(Token).WaitAsync(Deadline, Token)));
        }

        Assert.Equal(MachineState.Stopped, machine.Current.State);
        _run.CleanFault = null;
        await machine.RemoveAsync(Token).WaitAsync(Deadline, Token);
        Assert.Equal(MachineState.Removed, machine.Current.State);
    }

    [Fact]
    public async Task A_kill_that_failed_may_be_asked_again_at_once_and_kills_each_time()
    {
        _run.EndsOn = null;
        await using Machine machine = New((_, _) => Task.FromResult<IMachineRun>(_run));
        await machine.StartAsync(Token).WaitAsync(Deadline, Token);

        for (int n = 1; n <= 50; n++)
        {
            Task stop = machine.StopAsync(TimeSpan.FromMinutes(n), Token);
            Assert.Equal(MachineFault.KillFailed, (await Assert.ThrowsAsync<MachineException>(() => AdvanceUntilAsync(stop))).Fault);
            Assert.Equal(n, _run.Calls.Count(call => call == "kill"));
        }

        Assert.Single(_run.Calls, "poweroff");
        _run.EndsOn = "kill";
        await machine.StopAsync(TimeSpan.FromHours(1), Token).WaitAsync(Deadline, Token);
        Assert.Equal(MachineState.Stopped, machine.Current.State);
    }

    [Fact]
    public async Task Letting_go_while_it_starts_leaves_a_machine_that_came_up_alone()
    {
        TaskCompletionSource begun = new();
        TaskCompletionSource<IMachineRun> booted = new();
        Machine machine = New((_, _) =>
        {
            begun.SetResult();
            return booted.Task;
        });
        Task start = machine.StartAsync(Token);
        await begun.Task.WaitAsync(Deadline, Token);

        Task gone = machine.LetGoAsync();
        booted.SetResult(_run);
        await gone.WaitAsync(Deadline, Token);

        Assert.Equal(["let go"], _run.Calls);
        Assert.Equal(MachineFault.MachineGone, (await Assert.ThrowsAsync<MachineException>(() => start)).Fault);
    }

    [Fact]
    public async Task Stops_and_removals_at_the_same_time_all_end_well()
    {
        for (int n = 0; n < 50; n++)
        {
            ScriptedRun run = new() { EndsOn = "kill" };
            await using Machine machine = New((_, _) => Task.FromResult<IMachineRun>(run));
            Task start = machine.StartAsync(Token);
            Task[] all =
            [
                .. Enumerable.Range(0, 8).Select(i => Task.Run(
                    () => i % 2 == 0 ? machine.StopAsync(TimeSpan.Zero, Token) : machine.RemoveAsync(Token), Token)),
            ];

            await Task.WhenAll(all).WaitAsync(Deadline, Token);
            await Task.WhenAny(start, Task.Delay(Deadline, Token));

            Assert.True(start.IsCompleted);
            Assert.Equal(MachineState.Removed, machine.Current.State);
            Assert.Single(run.Calls, "clean");
        }
    }

    public ValueTask DisposeAsync() => _run.DisposeAsync();

    private static async Task WaitForAsync(Machine machine, MachineState state)
    {
        MachineSnapshot snapshot = machine.Current;
        while (snapshot.State != state)
        {
            snapshot = await machine.WaitForChangeAsync(snapshot.Generation, Token).WaitAsync(Deadline, Token);
        }
    }

    private Machine New(Func<MachineSpec, CancellationToken, Task<IMachineRun>> start) =>
        new(new MachineSpec { Id = MachineId.Parse("m") }, new ScriptedBackend(start), new ConsoleLog(), _time, NullLogger.Instance);

    private async Task AdvanceUntilAsync(Task task)
    {
        using CancellationTokenSource deadline = new(Deadline);
        while (!task.IsCompleted)
        {
            deadline.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await task;
    }
}
