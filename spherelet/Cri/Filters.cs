using Google.Protobuf.Collections;
using Vks.Spherelet.Pods;

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

    /// <summary>Of pod sandboxes whose figures are asked for.</summary>
    public static bool Matches(V1.PodSandboxStatsFilter? filter, PodRecord item) =>
        filter is null
        || (item.Id.StartsWith(filter.Id, StringComparison.Ordinal) && HasLabels(filter.LabelSelector, item.Config.Labels));

    /// <summary>Of containers whose figures are asked for.</summary>
    public static bool Matches(V1.ContainerStatsFilter? filter, ContainerRecord item) =>
        filter is null
        || (item.Id.StartsWith(filter.Id, StringComparison.Ordinal)
            && item.PodId.StartsWith(filter.PodSandboxId, StringComparison.Ordinal)
            && HasLabels(filter.LabelSelector, item.Config.Labels));

    private static bool HasLabels(MapField<string, string> wanted, IEnumerable<KeyValuePair<string, string>> labels) => wanted.All(labels.Contains);
}
