using Google.Protobuf.Collections;

namespace Vks.Spherelet.Cri;

/// <summary>Whether an item is asked for. A filter that is absent lets all pass; an id matches by its beginning.</summary>
internal static class Filters
{
    /// <summary>Of pod sandboxes.</summary>
    public static bool Matches(V1.PodSandboxFilter? filter, V1.PodSandbox item) =>
        filter is null
        || (item.Id.StartsWith(filter.Id, StringComparison.Ordinal)
            && (filter.State is null || filter.State.State == item.State)
            && HasLabels(filter.LabelSelector, item.Labels));

    /// <summary>Of containers.</summary>
    public static bool Matches(V1.ContainerFilter? filter, V1.Container item) =>
        filter is null
        || (item.Id.StartsWith(filter.Id, StringComparison.Ordinal)
            && item.PodSandboxId.StartsWith(filter.PodSandboxId, StringComparison.Ordinal)
            && (filter.State is null || filter.State.State == item.State)
            && HasLabels(filter.LabelSelector, item.Labels));

    private static bool HasLabels(MapField<string, string> wanted, MapField<string, string> labels) =>
        wanted.All(pair => labels.TryGetValue(pair.Key, out string? value) && value == pair.Value);
}
