using Vks.Agent.Channel;
using Vks.Agent.Network;
using Vks.Agent.Personality;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Boot;

/// <summary>The methods about the guest as a whole.</summary>
internal sealed class GuestCalls(PodPersonality personality, PortDialer dialer, PowerSwitch power, WarmUp warmUp)
{
    private static readonly Empty _empty = new();
    private readonly TaskCompletionSource _powerOff = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Registers them.</summary>
    internal void Register(MethodTable methods)
    {
        methods.Register(GuestMethods.Ping, static () => GuestJson.Default.Empty, static () => GuestJson.Default.Empty, static (_, empty, _) => Task.FromResult(empty));
        methods.Register(GuestMethods.Configure, static () => GuestJson.Default.GuestPersonality, static () => GuestJson.Default.Empty, async (_, request, token) =>
        {
            await personality.ApplyAsync(request, token);
            return _empty;
        });
        methods.Register(GuestMethods.ReadClock, static () => GuestJson.Default.Empty, static () => GuestJson.Default.GuestClockReading, static (_, _, _) =>
            Task.FromResult(new GuestClockReading(Clock.UnixNanoseconds())));
        methods.Register(GuestMethods.AdjustClock, static () => GuestJson.Default.GuestClockChange, static () => GuestJson.Default.Empty, static (_, change, _) =>
        {
            Clock.Change(change.Nanoseconds, change.Slowly);
            return Task.FromResult(_empty);
        });
        methods.Register(GuestMethods.WarmUp, static () => GuestJson.Default.Empty, static () => GuestJson.Default.Empty, async (_, empty, _) =>
        {
            await warmUp.RunAsync();
            return empty;
        });
        methods.Register(GuestMethods.Dial, static () => GuestJson.Default.DialRequest, static () => GuestJson.Default.Empty, dialer.DialAsync);
        methods.Register(GuestMethods.PowerOff, static () => GuestJson.Default.Empty, static () => GuestJson.Default.Empty, (_, _, _) =>
        {
            _powerOff.TrySetResult();
            return Task.FromResult(_empty);
        });
    }

    /// <summary>Waits for a power-off call, lets its answer leave, and ends the guest.</summary>
    internal async Task PowerOffWhenAskedAsync(AgentChannel channel, TimeProvider time)
    {
        await _powerOff.Task;
        try
        {
            // The answer is queued after the handler returned; a host that has gone away does not hold us up.
            await Task.Delay(TimeSpan.FromMilliseconds(1), time);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1), time);
            await channel.FlushAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Console.Log("power-off: the host did not take the answer within 1 s");
        }

        await power.OffAsync();
    }
}
