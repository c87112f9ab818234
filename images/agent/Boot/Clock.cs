using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>The guest's clocks in nanoseconds; TimeProvider has no CLOCK_BOOTTIME and cannot set the wall clock.</summary>
internal static unsafe class Clock
{
    private const long NanosecondsPerSecond = 1_000_000_000, NanosecondsPerMicrosecond = 1000, MicrosecondsPerSecond = 1_000_000;

    /// <summary>CLOCK_BOOTTIME.</summary>
    internal static long BootNanoseconds() => Read(Constants.ClockBoottime);

    /// <summary>CLOCK_REALTIME, since 1970-01-01 UTC.</summary>
    internal static long UnixNanoseconds() => Read(Constants.ClockRealtime);

    /// <summary>Sets CLOCK_REALTIME.</summary>
    internal static void Set(long unixNanoseconds)
    {
        var time = new Timespec { Seconds = unixNanoseconds / NanosecondsPerSecond, Nanoseconds = unixNanoseconds % NanosecondsPerSecond };
        if (Libc.SetClock(Constants.ClockRealtime, &time) != 0)
        {
            throw SystemError.Last($"Setting the clock to {unixNanoseconds} ns");
        }
    }

    /// <summary>Changes CLOCK_REALTIME by an amount.</summary>
    /// <param name="nanoseconds">What is added, in whole microseconds.</param>
    /// <param name="slowly">By 500 parts in a million until it is made up (adjtime(3)); else at once.</param>
    internal static void Change(long nanoseconds, bool slowly)
    {
        long microseconds = nanoseconds / NanosecondsPerMicrosecond;

        // Takes the place of what is still to be made up; for a step that is nothing.
        Adjust(new TimeChange { Modes = Constants.AdjustSingleShot, Offset = slowly ? microseconds : 0 }, nanoseconds);
        if (!slowly)
        {
            // The part of a second counts forward, also from a negative number of seconds.
            long seconds = Math.DivRem(microseconds, MicrosecondsPerSecond, out long rest);
            Adjust(
                new TimeChange { Modes = Constants.AdjustSetOffset, Seconds = rest < 0 ? seconds - 1 : seconds, Microseconds = rest < 0 ? rest + MicrosecondsPerSecond : rest },
                nanoseconds);
        }
    }

    private static void Adjust(TimeChange change, long nanoseconds)
    {
        if (Libc.AdjustTime(&change) < 0)
        {
            throw SystemError.Last($"Changing the clock by {nanoseconds} ns");
        }
    }

    private static long Read(int clock)
    {
        Timespec time;
        _ = Libc.GetClock(clock, &time);
        return (time.Seconds * NanosecondsPerSecond) + time.Nanoseconds;
    }
}
