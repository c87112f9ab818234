namespace Vks.Runtime.Clocks;

/// <summary>What is to be done about a guest's clock. Pure.</summary>
internal static class ClockRules
{
    /// <summary>From here on a clock is set at once. Less is what clocks drift apart by, and to make that up takes at most four minutes.</summary>
    internal static readonly TimeSpan StepFrom = TimeSpan.FromMilliseconds(128);

    /// <summary>Less than this is left alone.</summary>
    internal static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(1);

    /// <summary>Decides.</summary>
    /// <param name="sample">The best of several comparisons.</param>
    /// <returns>How the clock is to be changed, or null for not at all.</returns>
    internal static ClockCorrection? Decide(ClockSample sample)
    {
        TimeSpan size = sample.Offset.Duration();
        if (size <= Tolerance || size <= sample.Uncertainty)
        {
            return null;
        }

        return new ClockCorrection(-sample.Offset, Slowly: size - sample.Uncertainty < StepFrom);
    }
}

/// <summary>A change of a guest's clock.</summary>
/// <param name="Change">What is added to it.</param>
/// <param name="Slowly">Bit by bit, so that time never jumps.</param>
internal sealed record ClockCorrection(TimeSpan Change, bool Slowly);
