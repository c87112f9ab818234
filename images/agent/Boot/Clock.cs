using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>The guest's clocks in nanoseconds; TimeProvider has no CLOCK_BOOTTIME and cannot set the wall clock.</summary>
internal static unsafe class Clock
{
    private const long NanosecondsPerSecond = 1_000_000_000;

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

    private static long Read(int clock)
    {
        Timespec time;
        _ = Libc.GetClock(clock, &time);
        return (time.Seconds * NanosecondsPerSecond) + time.Nanoseconds;
    }
}
