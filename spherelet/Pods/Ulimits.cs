using System.Globalization;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>Limits of setrlimit(2). CRI has no field for them: they come from an annotation of the container or of its pod.</summary>
internal static class Ulimits
{
    /// <summary>The annotation: <c>nofile=1024:4096,core=0,memlock=unlimited</c>; soft and hard, or one number for both.</summary>
    public const string Annotation = "vks.dev/ulimits";

    private static readonly string[] Names =
    [
        "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
    ];

    /// <summary>What a container has when nothing else is said: enough open files for servers, no limit of processes beside that of its cgroup.</summary>
    private static readonly ResourceLimit[] Usual =
    [
        new("RLIMIT_NOFILE", 65_536, 1_048_576),
        new("RLIMIT_NPROC", ulong.MaxValue, ulong.MaxValue),
    ];

    /// <summary>The limits of a container: the usual ones, over them the pod's, over those its own.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: an annotation cannot be read.</exception>
    public static IReadOnlyList<ResourceLimit> Of(IReadOnlyDictionary<string, string> container, IReadOnlyDictionary<string, string> pod)
    {
        var limits = new SortedDictionary<string, ResourceLimit>(StringComparer.Ordinal);
        foreach (ResourceLimit limit in Usual.Concat(Read(pod)).Concat(Read(container)))
        {
            limits[limit.Type] = limit;
        }

        return [.. limits.Values];
    }

    private static ResourceLimit[] Read(IReadOnlyDictionary<string, string> annotations) =>
        annotations.TryGetValue(Annotation, out string? text) ? Parse(text) : [];

    /// <summary>Reads the annotation's value.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    internal static ResourceLimit[] Parse(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(entry => One(entry, text))];

    private static ResourceLimit One(string entry, string text)
    {
        if (entry.Split('=', 2) is [{ } name, { } value]
            && Names.Contains(name, StringComparer.Ordinal)
            && value.Split(':', 2) is { } numbers
            && Number(numbers[0]) is { } soft
            && Number(numbers[^1]) is { } hard
            && soft <= hard)
        {
            return new ResourceLimit("RLIMIT_" + name.ToUpperInvariant(), soft, hard);
        }

        throw new PodException(
            PodFault.InvalidConfig,
            Annotation,
            $"The annotation {Annotation} is '{text}'; it is made of name=soft:hard or name=both, joined by ',', names being {string.Join(' ', Names)}.");
    }

    private static ulong? Number(string text) =>
        text is "unlimited" or "-1" ? ulong.MaxValue
        : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value
        : null;
}
