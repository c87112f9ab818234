namespace Vks.Runtime.Guest.Protocol;

/// <summary>What time it is in the guest.</summary>
/// <param name="UnixNanoseconds">CLOCK_REALTIME, nanoseconds since 1970-01-01 UTC.</param>
public sealed record GuestClockReading(long UnixNanoseconds);

/// <summary>Changes the guest's clock by an amount, so that it does not matter how long the message takes.</summary>
/// <param name="Nanoseconds">What is added; negative to go back. Counted in whole microseconds.</param>
/// <param name="Slowly">By going faster or slower for a while, half a millisecond in a second, so that time never jumps nor runs backwards; else at once.</param>
public sealed record GuestClockChange(long Nanoseconds, bool Slowly);
