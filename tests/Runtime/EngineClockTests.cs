using Vks.Runtime.Clocks;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Runtime.Qmp;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>Clocks of real guests.</summary>
public sealed class EngineClockTests
{
    private static readonly TimeSpan s_close = TimeSpan.FromSeconds(1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_change_at_once_jumps_a_slow_one_does_not_and_still_arrives()
    {
        await using EngineLab lab = new();
        lab.Options = lab.Options with { ClockInterval = TimeSpan.Zero };
        CrxEngine engine = lab.NewEngine();
        Machine machine = await engine.CreateAsync(EngineLab.NewSpec(), Token);

        TimeSpan begin = await OffsetAsync(machine.Guest);
        await ChangeAsync(machine.Guest, TimeSpan.FromHours(-1) - TimeSpan.FromMilliseconds(1), slowly: false);
        Assert.InRange(await OffsetAsync(machine.Guest) - begin, TimeSpan.FromHours(-1) - s_close, TimeSpan.FromHours(-1) + s_close);
        await ChangeAsync(machine.Guest, TimeSpan.FromHours(1), slowly: false);
        TimeSpan before = await OffsetAsync(machine.Guest);
        Assert.InRange(before - begin, -s_close, s_close);

        // Ten seconds would take hours; some milliseconds of it are there soon.
        await ChangeAsync(machine.Guest, TimeSpan.FromSeconds(10), slowly: true);
        Assert.InRange(await OffsetAsync(machine.Guest) - before, -s_close, s_close);
        TimeSpan now = default;
        await Eventually.TrueAsync(
            async () =>
            {
                // A young kernel forgets it once: when it changes from the clock source of its boot to that of the rest of its life, a second or two in.
                await ChangeAsync(machine.Guest, TimeSpan.FromSeconds(10), slowly: true);
                return (now = await OffsetAsync(machine.Guest)) - before > TimeSpan.FromMilliseconds(4);
            },
            TimeSpan.FromSeconds(60), () => $"from {before} to {now}", Token);
        Assert.Null(machine.ClockOffset);
    }

    [Fact]
    public async Task A_guest_whose_machine_was_paused_while_no_daemon_ran_is_put_right_when_it_is_taken_back()
    {
        await using EngineLab lab = new();
        CrxEngine first = lab.NewEngine();
        Machine machine = await first.CreateAsync(EngineLab.NewSpec(), Token);
        MachineId id = machine.Id;
        await ChangeAsync(machine.Guest, TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch - await ReadAsync(machine.Guest), slowly: false);
        await first.DisposeAsync();

        await using (QmpClient monitor = await MachineBoot.ConnectMonitorAsync(new MachineFiles(lab.Options, id), TimeProvider.System, Token))
        {
            await monitor.StopAsync(Token);
            await Task.Delay(TimeSpan.FromSeconds(3), Token);
            await monitor.ContinueAsync(Token);
        }

        CrxEngine second = lab.NewEngine();
        await second.AdoptAsync(Token);
        Machine taken = second.Find(id)!;
        await Eventually.TrueAsync(() => Task.FromResult(taken.ClockOffset is not null), TimeSpan.FromSeconds(30), () => "its clock was not looked at", Token);

        Assert.InRange(taken.ClockOffset!.Value, TimeSpan.FromSeconds(-60), TimeSpan.FromSeconds(-2));
        TimeSpan offset = default;
        await Eventually.TrueAsync(
            async () => (offset = await OffsetAsync(taken.Guest)).Duration() < s_close, TimeSpan.FromSeconds(10), () => $"it is {offset} ahead", Token);
    }

    private static async Task<TimeSpan> ReadAsync(GuestClient guest) => TimeSpan.FromTicks(
        (await guest.CallAsync(GuestMethods.ReadClock, new Empty(), GuestJson.Default.Empty, GuestJson.Default.GuestClockReading, Token)).UnixNanoseconds / TimeSpan.NanosecondsPerTick);

    private static Task<Empty> ChangeAsync(GuestClient guest, TimeSpan change, bool slowly) => guest.CallAsync(
        GuestMethods.AdjustClock, new GuestClockChange(change.Ticks * TimeSpan.NanosecondsPerTick, slowly), GuestJson.Default.GuestClockChange, GuestJson.Default.Empty, Token);

    /// <summary>The surest of twenty comparisons.</summary>
    private static async Task<TimeSpan> OffsetAsync(GuestClient guest)
    {
        List<ClockSample> samples = [];
        for (var taken = 0; taken < 20; taken++)
        {
            long begin = TimeProvider.System.GetTimestamp();
            TimeSpan read = await ReadAsync(guest);
            samples.Add(ClockSample.Of(DateTimeOffset.UnixEpoch + read, TimeProvider.System.GetUtcNow(), TimeProvider.System.GetElapsedTime(begin)));
        }

        return samples.MinBy(sample => sample.Uncertainty).Offset;
    }
}
