namespace Vks.Bench.Results;

/// <summary>All samples of one measure of one arm, in the order they were taken.</summary>
/// <param name="Section">The part of the run: <c>serial</c>.</param>
/// <param name="Measure">What was measured: <c>RunPodSandbox</c>.</param>
/// <param name="Arm">Of whom: <c>cold</c>.</param>
/// <param name="Unit"><c>ms</c>, <c>MiB</c>, <c>MiB/s</c>, <c>pods/s</c>, <c>%</c> or <c>count</c>.</param>
/// <param name="Samples">The raw samples.</param>
internal sealed record Series(string Section, string Measure, string Arm, string Unit, IReadOnlyList<double> Samples);

/// <summary>One row of the tables: a series by its percentiles.</summary>
internal sealed record SummaryRow
{
    /// <summary>As in <see cref="Series"/>.</summary>
    public required string Section { get; init; }

    /// <summary>As in <see cref="Series"/>.</summary>
    public required string Measure { get; init; }

    /// <summary>As in <see cref="Series"/>.</summary>
    public required string Arm { get; init; }

    /// <summary>As in <see cref="Series"/>.</summary>
    public required string Unit { get; init; }

    /// <summary>How many samples.</summary>
    public required int Count { get; init; }

    /// <summary>The smallest.</summary>
    public required double Min { get; init; }

    /// <summary>Half are not above it.</summary>
    public required double P50 { get; init; }

    /// <summary>Nine of ten are not above it.</summary>
    public required double P90 { get; init; }

    /// <summary>99 of 100 are not above it.</summary>
    public required double P99 { get; init; }

    /// <summary>Sums a series up.</summary>
    public static SummaryRow Of(Series series) => new()
    {
        Section = series.Section,
        Measure = series.Measure,
        Arm = series.Arm,
        Unit = series.Unit,
        Count = series.Samples.Count,
        Min = series.Samples.Min(),
        P50 = Statistics.Percentile(series.Samples, 0.5),
        P90 = Statistics.Percentile(series.Samples, 0.9),
        P99 = Statistics.Percentile(series.Samples, 0.99),
    };
}
