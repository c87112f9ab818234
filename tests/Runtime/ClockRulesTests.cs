using CsCheck;
using Vks.Runtime.Clocks;

namespace Vks.Tests.Runtime;

/// <summary>When a guest's clock is changed, and how.</summary>
public sealed class ClockRulesTests
{
    private static readonly Gen<TimeSpan> s_spans = Gen.Long[-TimeSpan.TicksPerDay, TimeSpan.TicksPerDay].Select(TimeSpan.FromTicks);

    [Fact]
    public void A_clock_that_may_be_right_is_left_alone_and_any_other_is_put_right() =>
        Gen.Select(s_spans, s_spans).Sample((offset, other) =>
        {
            var sample = new ClockSample(offset, other.Duration());

            ClockCorrection? correction = ClockRules.Decide(sample);

            Assert.Equal(offset.Duration() <= ClockRules.Tolerance || offset.Duration() <= sample.Uncertainty, correction is null);
            Assert.True(correction is null || offset + correction.Change == TimeSpan.Zero);
        });

    [Theory]
    [InlineData(-127, 0, true)]
    [InlineData(127, 0, true)]
    [InlineData(129, 0, false)]
    [InlineData(-3_600_000, 0, false)]
    [InlineData(150, 100, true)] // It may be 50.
    public void Time_jumps_only_where_it_is_surely_far_off(double offset, double uncertainty, bool slowly) => Assert.Equal(
        new ClockCorrection(TimeSpan.FromMilliseconds(-offset), slowly),
        ClockRules.Decide(new ClockSample(TimeSpan.FromMilliseconds(offset), TimeSpan.FromMilliseconds(uncertainty))));

    [Fact]
    public void Wherever_in_the_round_trip_the_guest_read_its_clock_the_truth_is_within_the_uncertainty() =>
        Gen.Select(s_spans, Gen.Int[0, 10_000_000], Gen.Double[0, 1]).Sample((offset, ticks, part) =>
        {
            DateTimeOffset asked = DateTimeOffset.UnixEpoch.AddYears(50);
            var trip = TimeSpan.FromTicks(ticks);

            var sample = ClockSample.Of(asked + (trip * part) + offset, asked + trip, trip);

            Assert.InRange((sample.Offset - offset).Duration(), TimeSpan.Zero, sample.Uncertainty + TimeSpan.FromTicks(1));
        });
}
