using k8s.Models;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Placement;

/// <summary>
/// Why kube-scheduler may have taken a host out. It does not tell an extender; these are those of its rules that can be seen from outside without
/// being it. Pure.
/// </summary>
internal static class SchedulerHint
{
    /// <summary>The first rule that a host breaks, or null.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="node">The host's Node.</param>
    /// <param name="requested">Sum of the requests on it.</param>
    /// <param name="pods">How many pods are on it.</param>
    public static string? Of(V1Pod pod, V1Node node, (long Millis, long Bytes) requested, int pods)
    {
        if (node.Spec?.Unschedulable == true)
        {
            return "the Node is cordoned";
        }

        if ((node.Spec?.Taints ?? []).FirstOrDefault(taint => taint.Effect is "NoSchedule" or "NoExecute" && !(pod.Spec.Tolerations ?? []).Any(toleration => Tolerates(toleration, taint))) is { } taint)
        {
            return $"the pod does not tolerate the taint {taint.Key}{(string.IsNullOrEmpty(taint.Value) ? "" : "=" + taint.Value)}:{taint.Effect}";
        }

        foreach ((string key, string value) in pod.Spec.NodeSelector ?? new Dictionary<string, string>())
        {
            if (node.Metadata.Labels?.TryGetValue(key, out string? has) != true || has != value)
            {
                return $"the pod selects {key}={value}";
            }
        }

        PodRequest request = PodRequest.Of(pod);
        IDictionary<string, ResourceQuantity> can = node.Status?.Allocatable ?? new Dictionary<string, ResourceQuantity>();
        if (can.TryGetValue("cpu", out ResourceQuantity? cpu) && requested.Millis + request.CpuMillis > PodRequest.Millis(cpu))
        {
            return $"not enough CPU: {requested.Millis}m of {PodRequest.Millis(cpu)}m are requested, the pod asks for {request.CpuMillis}m";
        }

        if (can.TryGetValue("memory", out ResourceQuantity? memory) && requested.Bytes + request.MemoryBytes > PodRequest.Units(memory))
        {
            return $"not enough memory: {requested.Bytes >> 20} of {PodRequest.Units(memory) >> 20} MiB are requested, the pod asks for {request.MemoryBytes >> 20} MiB";
        }

        return can.TryGetValue("pods", out ResourceQuantity? most) && pods + 1 > PodRequest.Units(most) ? $"no more than {most} pods" : null;
    }

    private static bool Tolerates(V1Toleration toleration, V1Taint taint) =>
        (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
        && (string.IsNullOrEmpty(toleration.Key) ? toleration.OperatorProperty == "Exists" : toleration.Key == taint.Key)
        && (toleration.OperatorProperty == "Exists" || (toleration.Value ?? "") == (taint.Value ?? ""));
}
