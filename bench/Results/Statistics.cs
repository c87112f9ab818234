namespace Vks.Bench.Results;

/// <summary>The few numbers that a list of samples is told by.</summary>
internal static class Statistics
{
    /// <summary>Nearest-rank percentile: the smallest sample that at least that share of all samples does not exceed.</summary>
    /// <param name="samples">At least one, in any order.</param>
    /// <param name="share">Above 0, at most 1.</param>
    public static double Percentile(IReadOnlyList<double> samples, double share)
    {
        double[] sorted = [.. samples.Order()];
        return sorted[Math.Clamp((int)Math.Ceiling((share * sorted.Length) - 1e-9) - 1, 0, sorted.Length - 1)];
    }

    /// <summary>The middle one: <see cref="Percentile"/> of a half.</summary>
    public static double Median(IReadOnlyList<double> samples) => Percentile(samples, 0.5);

    /// <summary>
    /// How much a value grows from the first to the last of a row, as a share of where it begins. The line is the one of Theil and Sen: the
    /// median of all slopes between two samples, which a few late ones do not bend.
    /// </summary>
    /// <param name="samples">At least two, in the order they were taken.</param>
    public static double Growth(IReadOnlyList<double> samples)
    {
        List<double> slopes = [];
        for (int first = 0; first < samples.Count; first++)
        {
            for (int second = first + 1; second < samples.Count; second++)
            {
                slopes.Add((samples[second] - samples[first]) / (second - first));
            }
        }

        double slope = Middle(slopes);
        double begin = Middle([.. samples.Select((value, index) => value - (slope * index))]);
        return slope * (samples.Count - 1) / begin;
    }

    private static double Middle(List<double> values)
    {
        values.Sort();
        int half = values.Count / 2;
        return values.Count % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }
}
