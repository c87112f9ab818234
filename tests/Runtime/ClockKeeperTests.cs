using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Guests' clocks are kept with the host's; the guest and the host's clock are played.</summary>
public sealed class ClockKeeperTests : IAsyncDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));
    private readonly ConcurrentQueue<GuestClockChange> _changes = [];
    private readonly ScriptedRun _run = new() { EndsOn = "kill" };
    private readonly GuestRig _rig;
    private readonly ClockKeeper _keeper;
    private Machine _machine = null!;
    private Action _hostClockSet = static () => { };
    private int _watches;
    private int _looks;
    private TaskCompletionSource _answers = Done();

    /// <summary>How far the played guest is ahead.</summary>
    private TimeSpan _ahead;

    public ClockKeeperTests()
    {
        _rig = new GuestRig(methods =>
        {
            methods.Register(GuestMethods.ReadClock, static () => GuestJson.Default.Empty, static () => GuestJson.Default.GuestClockReading, async (_, _, _) =>
            {
                await _answers.Task;
                Interlocked.Increment(ref _looks);
                return new GuestClockReading((_time.GetUtcNow() + _ahead - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick);
            });
            methods.Register(GuestMethods.AdjustClock, static () => GuestJson.Default.GuestClockChange, static () => GuestJson.Default.Empty, (_, change, _) =>
            {
                _ahead += TimeSpan.FromTicks(change.Nanoseconds / TimeSpan.NanosecondsPerTick);
                _changes.Enqueue(change);
                return Task.FromResult(new Empty());
            });
        });
        _keeper = new ClockKeeper(s_interval, Watch, _time, NullLogger.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Drift_is_made_up_slowly_once_in_each_interval()
    {
        await FollowAsync(atOnce: false);

        _ahead = TimeSpan.FromMilliseconds(20);
        await PassAsync(1);
        _ahead = TimeSpan.FromMilliseconds(-30);
        await PassAsync(2);

        Assert.Equal([new GuestClockChange(-20_000_000, Slowly: true), new GuestClockChange(30_000_000, Slowly: true)], _changes);
        Assert.Equal(TimeSpan.FromMilliseconds(-30), _machine.ClockOffset);
    }

    [Fact]
    public async Task When_the_hosts_clock_is_set_all_guests_follow_at_once()
    {
        await FollowAsync(atOnce: false);

        _ahead = TimeSpan.FromHours(-1);
        _hostClockSet();
        await ChangesAsync(1);

        Assert.Equal([new GuestClockChange(3600L * 1_000_000_000, Slowly: false)], _changes);
    }

    [Fact]
    public async Task A_guest_that_goes_on_after_a_pause_and_one_that_is_taken_back_are_looked_at_at_once()
    {
        _ahead = TimeSpan.FromSeconds(-5);
        await FollowAsync(atOnce: true);
        await ChangesAsync(1);

        _ahead = TimeSpan.FromSeconds(-2);
        _run.Resume();
        await ChangesAsync(2);

        Assert.Equal([5, 2], _changes.Select(change => change.Nanoseconds / 1_000_000_000));
    }

    [Fact]
    public async Task A_guest_that_stands_still_has_one_question_waiting_and_is_put_right_when_it_goes_on()
    {
        _answers = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await FollowAsync(atOnce: true);
        _ahead = TimeSpan.FromMinutes(-3);
        for (var minutes = 0; minutes < 3; minutes++)
        {
            _time.Advance(s_interval);
        }

        Assert.Equal(0, _looks);
        _answers.SetResult();
        await ChangesAsync(1);

        // The first answer took too long to say anything; another one was asked for.
        Assert.Equal([new GuestClockChange(180L * 1_000_000_000, Slowly: false)], _changes);
    }

    [Fact]
    public async Task Following_ends_with_the_machine()
    {
        await FollowAsync(atOnce: true);
        await Eventually.TrueAsync(() => Task.FromResult(_looks > 0), TimeSpan.FromSeconds(10), () => "no look", Token);

        await StopAsync();
        int before = _looks;
        _hostClockSet();
        _time.Advance(s_interval);
        await Task.Delay(TimeSpan.FromMilliseconds(50), Token);

        Assert.Equal(before, _looks);
        Assert.Equal(1, _watches);
        await _keeper.DisposeAsync();
        Assert.Equal(0, _watches);
    }

    public async ValueTask DisposeAsync()
    {
        _answers.TrySetResult();
        await _keeper.DisposeAsync();
        await StopAsync();
        await _machine.LetGoAsync();
        await _rig.DisposeAsync();
    }

    private static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }

    private async Task FollowAsync(bool atOnce)
    {
        _run.Agent = await _rig.ConnectAsync();
        _machine = new Machine(
            new MachineSpec { Id = MachineId.Parse("clock") }, new ScriptedBackend((_, _) => Task.FromResult<IMachineRun>(_run)), new ConsoleLog(), _time, NullLogger.Instance);
        await _machine.StartAsync(Token);
        _keeper.Follow(_machine, atOnce);
    }

    private Watcher Watch(Action wasSet)
    {
        _hostClockSet = wasSet;
        _watches++;
        return new Watcher(this);
    }

    /// <summary>Lets time pass until the guest's clock was changed so often; a follower begins to wait a moment after it was asked to follow.</summary>
    private async Task PassAsync(int changes)
    {
        await Eventually.TrueAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(_changes.Count >= changes);
            },
            TimeSpan.FromSeconds(20), () => $"{_changes.Count} changes", Token);
        Assert.Equal(changes, _changes.Count);
    }

    private Task ChangesAsync(int count) =>
        Eventually.TrueAsync(() => Task.FromResult(_changes.Count >= count), TimeSpan.FromSeconds(10), () => $"{_changes.Count} changes, {_looks} looks", Token);

    private async Task StopAsync()
    {
        Task stop = _machine.RemoveAsync(CancellationToken.None);
        while (!stop.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(stop, Task.Delay(TimeSpan.FromMilliseconds(5), CancellationToken.None));
        }

        await stop;
    }

    private sealed class Watcher(ClockKeeperTests test) : IDisposable
    {
        public void Dispose() => test._watches--;
    }
}
