namespace Vks.Bench.Results;

/// <summary>Takes in samples and failures while the run goes on; from any thread.</summary>
internal sealed class SampleRecorder
{
    private readonly Lock _lock = new();
    private readonly List<(string Section, string Measure, string Arm, string Unit)> _order = [];
    private readonly Dictionary<(string Section, string Measure, string Arm), List<double>> _samples = [];
    private readonly List<Failure> _failures = [];

    /// <summary>Everything measured so far, in the order in which each series began.</summary>
    public IReadOnlyList<Series> Series
    {
        get
        {
            lock (_lock)
            {
                return [.. _order.Select(key => new Series(key.Section, key.Measure, key.Arm, key.Unit, [.. _samples[(key.Section, key.Measure, key.Arm)]]))];
            }
        }
    }

    /// <summary>What went wrong so far.</summary>
    public IReadOnlyList<Failure> Failures
    {
        get
        {
            lock (_lock)
            {
                return [.. _failures];
            }
        }
    }

    /// <summary>Adds one sample.</summary>
    public void Add(string section, string measure, string arm, string unit, double sample)
    {
        lock (_lock)
        {
            if (!_samples.TryGetValue((section, measure, arm), out List<double>? samples))
            {
                _samples[(section, measure, arm)] = samples = [];
                _order.Add((section, measure, arm, unit));
            }

            samples.Add(sample);
        }
    }

    /// <summary>Notes that something could not be measured.</summary>
    public void Fail(string section, string arm, string what)
    {
        lock (_lock)
        {
            _failures.Add(new Failure(section, arm, what));
        }
    }
}

/// <summary>Something that could not be measured.</summary>
/// <param name="Section">The part of the run.</param>
/// <param name="Arm">With whom.</param>
/// <param name="What">What happened.</param>
internal sealed record Failure(string Section, string Arm, string What);
