using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Clocks;

/// <summary>The clock of one guest, compared with the host's and put right.</summary>
internal sealed class GuestClock(TimeProvider time)
{
    /// <summary>The first question may wake a sleeping guest, and any may come while the host is busy: the quickest answer counts.</summary>
    private const int MaxSamples = 5;

    private static readonly TimeSpan s_goodEnough = TimeSpan.FromMicroseconds(500);

    /// <summary>Compares, and changes the guest's clock when it is off.</summary>
    /// <param name="guest">Its agent.</param>
    /// <param name="cancellationToken">Ends the work. There is no other limit: a guest that stands still answers when it goes on.</param>
    /// <exception cref="GuestException">The guest refused, knows no such calls, or went away.</exception>
    internal async Task<ClockLook> LookAsync(GuestClient guest, CancellationToken cancellationToken)
    {
        ClockSample best = await SampleAsync(guest, cancellationToken);
        for (var taken = 1; taken < MaxSamples && best.Uncertainty > s_goodEnough; taken++)
        {
            ClockSample next = await SampleAsync(guest, cancellationToken);
            best = next.Uncertainty < best.Uncertainty ? next : best;
        }

        ClockCorrection? correction = ClockRules.Decide(best);
        if (correction is not null)
        {
            await guest.CallAsync(
                GuestMethods.AdjustClock,
                new GuestClockChange(correction.Change.Ticks * TimeSpan.NanosecondsPerTick, correction.Slowly),
                GuestJson.Default.GuestClockChange,
                GuestJson.Default.Empty,
                cancellationToken);
        }

        return new ClockLook(best, correction);
    }

    private async Task<ClockSample> SampleAsync(GuestClient guest, CancellationToken cancellationToken)
    {
        long asked = time.GetTimestamp();
        GuestClockReading reading = await guest.CallAsync(
            GuestMethods.ReadClock, new Empty(), GuestJson.Default.Empty, GuestJson.Default.GuestClockReading, cancellationToken);
        return ClockSample.Of(
            DateTimeOffset.UnixEpoch.AddTicks(reading.UnixNanoseconds / TimeSpan.NanosecondsPerTick), time.GetUtcNow(), time.GetElapsedTime(asked));
    }
}

/// <summary>What a look at a guest's clock found and did.</summary>
/// <param name="Found">How far off it was.</param>
/// <param name="Done">How it was changed, or null for not at all.</param>
internal sealed record ClockLook(ClockSample Found, ClockCorrection? Done);
