using CsCheck;
using Vks.Bench.Results;

namespace Vks.Tests.Bench;

/// <summary>Percentiles and growth.</summary>
public sealed class StatisticsTests
{
    private static readonly Gen<double[]> s_samples = Gen.Double[0.1, 1000].Array[1, 60];

    [Fact]
    public void A_percentile_is_the_smallest_sample_that_so_many_do_not_exceed() =>
        Gen.Select(s_samples, Gen.Int[1, 100]).Sample((samples, percent) =>
        {
            double found = Statistics.Percentile(samples, percent / 100.0);

            Assert.Contains(found, samples);
            Assert.True(samples.Count(sample => sample <= found) * 100 >= percent * samples.Length);
            Assert.True(samples.Count(sample => sample < found) * 100 < percent * samples.Length);
        });

    [Fact]
    public void Growth_is_that_of_the_line_and_late_samples_do_not_bend_it()
    {
        double[] line = [.. Enumerable.Range(0, 50).Select(index => 100 + (0.4 * index))];
        double[] withLate = [.. line];
        withLate[7] = 900;
        withLate[31] = 2000;

        Assert.Equal(0.4 * 49 / 100, Statistics.Growth(line), 6);
        Assert.Equal(0.4 * 49 / 100, Statistics.Growth(withLate), 2);
    }
}
