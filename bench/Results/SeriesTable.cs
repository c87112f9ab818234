namespace Vks.Bench.Results;

/// <summary>Looks series up by name.</summary>
internal sealed class SeriesTable(IReadOnlyList<Series> series)
{
    private readonly Dictionary<(string Section, string Measure, string Arm), Series> _series =
        series.ToDictionary(static one => (one.Section, one.Measure, one.Arm));

    /// <summary>Measures of a section, in the order they began.</summary>
    public IEnumerable<string> MeasuresOf(string section) => series.Where(one => one.Section == section).Select(static one => one.Measure).Distinct();

    /// <summary>Whether there is one.</summary>
    public bool Has(string section, string measure, string arm) => _series.ContainsKey((section, measure, arm));

    /// <summary>Its samples, or null.</summary>
    public IReadOnlyList<double>? Samples(string section, string measure, string arm) =>
        _series.TryGetValue((section, measure, arm), out Series? found) && found.Samples.Count > 0 ? found.Samples : null;

    /// <summary>A percentile of it, or null.</summary>
    public double? Percentile(string section, string measure, string arm, double share) =>
        Samples(section, measure, arm) is { } samples ? Statistics.Percentile(samples, share) : null;

    /// <summary>Its median, or null.</summary>
    public double? P50(string section, string measure, string arm) => Percentile(section, measure, arm, 0.5);
}
