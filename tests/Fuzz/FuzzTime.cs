using System.Diagnostics;
using System.Globalization;

namespace Vks.Tests.Fuzz;

/// <summary>How long to fuzz and from which seed on.</summary>
/// <remarks>
/// By itself a short slice with always the same seeds, so that the suite tells the same each time. <c>VKS_FUZZ_SECONDS</c> makes each fuzz test
/// last that long, with seeds from <c>VKS_FUZZ_SEED</c> on, or from one of the clock; what fails names its seed.
/// </remarks>
internal sealed class FuzzTime
{
    private readonly long _begin = Stopwatch.GetTimestamp();
    private readonly TimeSpan _most;

    private FuzzTime(TimeSpan most, int seed) => (_most, Seed) = (most, seed);

    /// <summary>The first seed.</summary>
    public int Seed { get; }

    /// <summary>Whether there is time for one more.</summary>
    public bool GoesOn => Stopwatch.GetElapsedTime(_begin) < _most;

    /// <summary>Begins.</summary>
    /// <param name="slice">How long it takes in the suite.</param>
    public static FuzzTime Start(TimeSpan slice)
    {
        string? seconds = Environment.GetEnvironmentVariable("VKS_FUZZ_SECONDS");
        string? seed = Environment.GetEnvironmentVariable("VKS_FUZZ_SEED");
        return seconds is null
            ? new FuzzTime(slice, seed is null ? 1 : int.Parse(seed, CultureInfo.InvariantCulture))
            : new FuzzTime(
                TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)),
                seed is null ? Environment.TickCount & 0xFF_FFFF : int.Parse(seed, CultureInfo.InvariantCulture));
    }
}
