using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Clocks;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Machines;

/// <summary>
/// Keeps the clocks of running guests with the host's: every so often, since no two clocks run alike, and at once when the host's was set, when a
/// guest goes on after it stood still, and when a daemon takes a guest back.
/// </summary>
/// <remarks>Each guest has a task of its own, so that one that does not answer holds up no other. Its question waits, and is answered when it goes on.</remarks>
internal sealed partial class ClockKeeper : IAsyncDisposable
{
    private readonly TimeSpan _interval;
    private readonly Func<Action, IDisposable> _watchHost;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly GuestClock _clock;
    private readonly ConcurrentDictionary<Machine, Follower> _followed = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private IDisposable? _hostWatch;
    private bool _ending;

    /// <summary>Watches nothing yet.</summary>
    /// <param name="interval">Time between two looks at one guest; zero: clocks are not kept.</param>
    /// <param name="watchHost">Begins to call an action whenever the host's clock is set; disposing ends that.</param>
    /// <param name="time">The host's clock.</param>
    /// <param name="logger">Events 2080 to 2083.</param>
    internal ClockKeeper(TimeSpan interval, Func<Action, IDisposable> watchHost, TimeProvider time, ILogger logger)
    {
        (_interval, _watchHost, _time, _logger) = (interval, watchHost, time, logger);
        _clock = new GuestClock(time);
    }

    /// <summary>Begins to keep the clock of a machine that runs, until it runs no more.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="atOnce">Whether its clock is looked at now, and not only after the interval: it may have been alone for a while.</param>
    internal void Follow(Machine machine, bool atOnce)
    {
        if (_interval <= TimeSpan.Zero)
        {
            return;
        }

        lock (_lock)
        {
            if (_ending)
            {
                return;
            }

            _hostWatch ??= _watchHost(LookAtAll);
            var follower = new Follower();
            _followed[machine] = follower;

            // It outlives the call that made the machine, so it must not be part of that call's trace.
            using (ExecutionContext.SuppressFlow())
            {
                follower.Done = Task.Run(() => FollowAsync(machine, follower, atOnce), CancellationToken.None);
            }
        }
    }

    /// <summary>Ends; the guests' clocks run on.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _ending = true;
            _hostWatch?.Dispose();
            _hostWatch = null;
        }

        await _stop.CancelAsync();
        await Task.WhenAll(_followed.Values.Select(static follower => follower.Done));
    }

    private void LookAtAll()
    {
        HostClockSet();
        foreach (Follower follower in _followed.Values)
        {
            follower.Look();
        }
    }

    private async Task FollowAsync(Machine machine, Follower follower, bool atOnce)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        machine.Resumed += follower.Look;
        Task end = CancelAtEndAsync(machine, ended);
        try
        {
            if (!atOnce)
            {
                await follower.WaitAsync(_interval, _time, ended.Token);
            }

            while (await LookAsync(machine, follower, ended.Token))
            {
                await follower.WaitAsync(_interval, _time, ended.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The machine runs no more, or we end.
        }
        catch (Exception exception)
        {
            Abandoned(exception, machine.Id);
        }

        await ended.CancelAsync();
        await end;
        machine.Resumed -= follower.Look;
        _followed.TryRemove(machine, out _);
    }

    /// <returns>Whether to go on.</returns>
    private async Task<bool> LookAsync(Machine machine, Follower follower, CancellationToken cancellationToken)
    {
        try
        {
            ClockLook look = await _clock.LookAsync(machine.Guest, cancellationToken);
            machine.ClockOffset = look.Found.Offset;
            MachineTelemetry.ClockLookedAt(look);
            follower.FaultTold = false;
            if (look.Done is { Slowly: false } step)
            {
                Stepped(machine.Id, step.Change.TotalSeconds);
            }

            return true;
        }
        catch (GuestException cause) when (cause.Fault == GuestFault.UnknownMethod)
        {
            NotKept(machine.Id);
            return false;
        }
        catch (GuestException cause) when (!cause.ConnectionLost)
        {
            if (!follower.FaultTold)
            {
                follower.FaultTold = true;
                Refused(cause, machine.Id);
            }

            return true;
        }
        catch (Exception cause) when (cause is GuestException or MachineException)
        {
            // The machine's driver finds out what became of it.
            return false;
        }
    }

    private static async Task CancelAtEndAsync(Machine machine, CancellationTokenSource ended)
    {
        try
        {
            MachineSnapshot snapshot = machine.Current;
            while (snapshot.State == MachineState.Running)
            {
                snapshot = await machine.WaitForChangeAsync(snapshot.Generation, ended.Token);
            }
        }
        catch (Exception cause) when (cause is OperationCanceledException or MachineException)
        {
            // Let go of, or nobody follows any more.
        }

        await ended.CancelAsync();
    }

    /// <summary>What is known of one guest that is followed.</summary>
    private sealed class Follower
    {
        private readonly Channel<bool> _wanted = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        internal Task Done { get; set; } = Task.CompletedTask;

        internal bool FaultTold { get; set; }

        internal void Look() => _wanted.Writer.TryWrite(true);

        /// <summary>Waits until the time has passed or a look is wanted, whichever is first.</summary>
        internal async Task WaitAsync(TimeSpan interval, TimeProvider time, CancellationToken cancellationToken)
        {
            using var passed = new CancellationTokenSource(interval, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(passed.Token, cancellationToken);
            try
            {
                _ = await _wanted.Reader.ReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // The usual end of the waiting.
            }
        }
    }

    [LoggerMessage(2080, LogLevel.Information, "The host's clock was set; the clocks of all guests are looked at")]
    private partial void HostClockSet();

    [LoggerMessage(2081, LogLevel.Information, "Machine {MachineId}: its clock was changed by {Seconds} s at once")]
    private partial void Stepped(MachineId machineId, double seconds);

    [LoggerMessage(2082, LogLevel.Warning, "Machine {MachineId} was started with an agent that cannot tell its clock; it is not kept with the host's")]
    private partial void NotKept(MachineId machineId);

    [LoggerMessage(2083, LogLevel.Warning, "Machine {MachineId}: its clock could not be looked at or changed; it is tried again and again, and not told again")]
    private partial void Refused(Exception cause, MachineId machineId);

    [LoggerMessage(2084, LogLevel.Error, "Machine {MachineId}: its clock is not kept any more")]
    private partial void Abandoned(Exception cause, MachineId machineId);
}
