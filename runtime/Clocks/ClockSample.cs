namespace Vks.Runtime.Clocks;

/// <summary>One comparison of a guest's clock with the host's. Pure.</summary>
/// <param name="Offset">How far the guest is ahead; negative when it is behind.</param>
/// <param name="Uncertainty">How wrong that can be at most: the guest read its clock somewhere within the round trip.</param>
internal readonly record struct ClockSample(TimeSpan Offset, TimeSpan Uncertainty)
{
    /// <summary>Makes it of a round trip.</summary>
    /// <param name="guest">What the guest read.</param>
    /// <param name="answered">The host's clock when the answer came.</param>
    /// <param name="roundTrip">How long question and answer took together.</param>
    internal static ClockSample Of(DateTimeOffset guest, DateTimeOffset answered, TimeSpan roundTrip) =>
        new(guest - (answered - (roundTrip / 2)), roundTrip / 2);
}
