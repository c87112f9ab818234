using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Durations in CRI are whole seconds.</summary>
internal static class Seconds
{
    /// <summary>More than that is as good as for ever, and still fits every timer.</summary>
    private const long Most = 24 * 24 * 3600L;

    /// <summary>Reads a duration.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: it is negative.</exception>
    public static TimeSpan Read(long seconds, string field) => seconds >= 0
        ? TimeSpan.FromSeconds(Math.Min(seconds, Most))
        : throw new PodException(PodFault.InvalidConfig, field, $"{field} is {seconds} s; it must be 0 or more.");
}
