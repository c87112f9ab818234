namespace Vks.Spherelet.Pods;

/// <summary>Times as CRI and the guest write them.</summary>
internal static class UnixTime
{
    /// <summary>Nanoseconds since 1970-01-01 UTC.</summary>
    public static long Nanoseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
}
