namespace Vks.Spherelet.Pods;

/// <summary>Makes rates of counters of CPU time, each between two readings.</summary>
/// <remarks>Not for two threads at once.</remarks>
internal sealed class CpuRates
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The guest's kernel counts in ticks, so a shorter time tells nothing.</summary>
    private const long ShortestNanoseconds = NanosecondsPerSecond / 10;

    /// <summary>Askers may come one right after the other; each gets a rate over at least this long, if there is a reading that old.</summary>
    private const long WindowNanoseconds = NanosecondsPerSecond / 2;

    /// <summary>What a counter was longer ago says nothing of now.</summary>
    private const long LongestNanoseconds = 120 * NanosecondsPerSecond;

    private Dictionary<string, Readings> _readings = new(StringComparer.Ordinal);

    /// <summary>Takes in the counters of one moment; those that are not among them are forgotten.</summary>
    /// <param name="atNanoseconds">When they were read, by a clock that nobody sets.</param>
    /// <param name="counters">CPU time in nanoseconds by name.</param>
    /// <returns>Billionths of a CPU by name, for those of which a reading of a little while ago is known.</returns>
    public IReadOnlyDictionary<string, long> Take(long atNanoseconds, IEnumerable<KeyValuePair<string, long>> counters)
    {
        Dictionary<string, Readings> next = new(StringComparer.Ordinal);
        Dictionary<string, long> rates = new(StringComparer.Ordinal);
        foreach ((string name, long counter) in counters)
        {
            Reading now = new(atNanoseconds, counter);
            Readings before = _readings.GetValueOrDefault(name) ?? new Readings(null, now);
            if ((Rate(before.Latest, now, WindowNanoseconds) ?? Rate(before.Earlier, now, WindowNanoseconds) ?? Rate(before.Latest, now, ShortestNanoseconds)) is { } rate)
            {
                rates[name] = rate;
            }

            next[name] = now.At - before.Latest.At is < 0 or >= WindowNanoseconds ? new Readings(before.Latest, now) : before;
        }

        _readings = next;
        return rates;
    }

    /// <summary>Null when the two are too close or too far apart, or in the wrong order: a counter that fell began anew.</summary>
    private static long? Rate(Reading? from, Reading to, long shortest) =>
        from is null || to.At - from.At < shortest || to.At - from.At > LongestNanoseconds || to.Counter < from.Counter
            ? null
            : (long)((double)(to.Counter - from.Counter) * NanosecondsPerSecond / (to.At - from.At));

    private sealed record Reading(long At, long Counter);

    private sealed record Readings(Reading? Earlier, Reading Latest);
}
