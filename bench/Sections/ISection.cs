namespace Vks.Bench.Sections;

/// <summary>One part of the run.</summary>
internal interface ISection
{
    /// <summary>Name on the command line and in results.</summary>
    string Name { get; }

    /// <summary>What it does, for the progress bar.</summary>
    string Title { get; }

    /// <summary>Whether it runs only when it is asked for by name, because it needs what others do without.</summary>
    bool IsOnRequest => false;

    /// <summary>How many times it will call <see cref="BenchContext.Step"/>.</summary>
    int CountSteps(BenchContext context);

    /// <summary>Measures.</summary>
    /// <exception cref="BenchException">It cannot be measured at all. What fails now and then is noted and passed over.</exception>
    Task RunAsync(BenchContext context, CancellationToken cancellationToken);
}
