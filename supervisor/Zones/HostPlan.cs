using System.Globalization;
using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>How a host is, computed from its Node and the pods on it. Pure.</summary>
internal static class HostPlan
{
    /// <summary>Condition: there is a Node.</summary>
    public const string NodePresent = "NodePresent";

    /// <summary>Condition: the Node's kubelet reports that it can run pods.</summary>
    public const string NodeReady = "NodeReady";

    /// <summary>Condition: the Node says in which zone it is.</summary>
    public const string ZoneKnown = "ZoneKnown";

    /// <summary>Condition: nobody has taken the host out of service.</summary>
    public const string InService = "InService";

    /// <summary>Condition: the host can take pods.</summary>
    public const string Ready = "Ready";

    /// <summary>What a pod costs where no host says: QEMU, its page tables and the guest's kernel.</summary>
    public static readonly PodOverhead DefaultOverhead = new() { Cpu = new ResourceQuantity("50m"), Memory = new ResourceQuantity("64Mi"), Source = "Default" };

    /// <summary>The status.</summary>
    /// <param name="host">The object, with its former status: a lost host keeps its zone.</param>
    /// <param name="node">Its Node, or null.</param>
    /// <param name="pods">Pods on it that have not ended.</param>
    /// <param name="time">Clock.</param>
    public static HostStatus Status(Host host, V1Node? node, IReadOnlyCollection<V1Pod> pods, TimeProvider time)
    {
        PodOverhead overhead = OverheadOf(node);
        ConditionSet conditions = new(host.Status?.Conditions, host.Metadata.Generation, time);
        string? zone = node is null ? host.Status?.Zone : ClusterView.ZoneOf(node);
        Describe(conditions, host, node, zone);
        PodRequest[] requests = [.. pods.Select(PodRequest.Of)];
        ResourceAmounts requested = new()
        {
            Cpu = new ResourceQuantity(string.Create(CultureInfo.InvariantCulture, $"{requests.Sum(request => request.CpuMillis)}m")),
            Memory = new ResourceQuantity(string.Create(CultureInfo.InvariantCulture, $"{requests.Sum(request => request.MemoryBytes) / (1 << 20)}Mi")),
            Pods = new ResourceQuantity(requests.Length.ToString(CultureInfo.InvariantCulture)),
        };
        ResourceAmounts? allocatable = node is null ? host.Status?.Allocatable : Amounts(node.Status?.Allocatable);
        return new HostStatus
        {
            ObservedGeneration = host.Metadata.Generation,
            Zone = zone,
            Phase = node is null ? "Lost" : host.Spec.MaintenanceMode ? "Maintenance" : conditions.Holds(Ready) ? "Ready" : "NotReady",
            Capacity = node is null ? host.Status?.Capacity : Amounts(node.Status?.Capacity),
            Allocatable = allocatable,
            Requested = requested,
            Overhead = overhead,
            Summary = new HostSummary
            {
                Cpu = $"{requested.Cpu}/{allocatable?.Cpu}",
                Memory = $"{Gibibytes(requested.Memory)}/{Gibibytes(allocatable?.Memory)}Gi",
                Pods = $"{requests.Length}/{allocatable?.Pods}",
            },
            Conditions = conditions.Now,
        };
    }

    /// <summary>What a pod costs on this node: what the node measured, or the default.</summary>
    public static PodOverhead OverheadOf(V1Node? node)
    {
        ResourceQuantity? memory = Annotation(node, NodeMarks.OverheadMemory);
        ResourceQuantity? cpu = Annotation(node, NodeMarks.OverheadCpu);
        return memory is null && cpu is null
            ? DefaultOverhead
            : new PodOverhead { Cpu = cpu ?? DefaultOverhead.Cpu, Memory = memory ?? DefaultOverhead.Memory, Source = "Measured" };
    }

    private static void Describe(ConditionSet conditions, Host host, V1Node? node, string? zone)
    {
        if (node is null)
        {
            conditions.Set(NodePresent, false, "NodeGone", $"There is no Node {host.Metadata.Name}. It comes back when its kubelet registers; delete the Host if it will not.");
        }
        else
        {
            conditions.Set(NodePresent, true, "NodeFound", "");
        }

        V1NodeCondition? ready = node?.Status?.Conditions?.FirstOrDefault(condition => condition.Type == "Ready");
        conditions.Set(
            NodeReady,
            ready?.Status switch { "True" => true, "False" => false, _ => null },
            ready?.Reason is { Length: > 0 } reason ? reason : "NoReport",
            ready is null ? "The kubelet has not reported" : ready.Status == "True" ? "" : ready.Message ?? "");
        conditions.Set(
            ZoneKnown, zone is not null, zone is null ? "NoZoneLabel" : "ZoneLabel",
            zone is null ? $"Label the Node: kubectl label node {host.Metadata.Name} {NodeMarks.Zone}=ZONE" : "");
        bool cordoned = node?.Spec?.Unschedulable == true;
        conditions.Set(
            InService, !cordoned && !host.Spec.MaintenanceMode, host.Spec.MaintenanceMode ? "MaintenanceMode" : cordoned ? "Cordoned" : "InService",
            host.Spec.MaintenanceMode ? "spec.maintenanceMode is on" : cordoned ? "The Node is cordoned" : "");
        conditions.Summarize(Ready, "HostReady");
    }

    private static ResourceAmounts Amounts(IDictionary<string, ResourceQuantity>? amounts) => new()
    {
        Cpu = amounts?.TryGetValue("cpu", out ResourceQuantity? cpu) == true ? cpu : null,
        Memory = amounts?.TryGetValue("memory", out ResourceQuantity? memory) == true ? memory : null,
        Pods = amounts?.TryGetValue("pods", out ResourceQuantity? pods) == true ? pods : null,
    };

    private static string Gibibytes(ResourceQuantity? quantity) =>
        quantity is null ? "" : (quantity.ToDecimal() / (1 << 30)).ToString("0.#", CultureInfo.InvariantCulture);

    private static ResourceQuantity? Annotation(V1Node? node, string name)
    {
        try
        {
            return node?.Metadata.Annotations?.TryGetValue(name, out string? text) == true ? new ResourceQuantity(text) : null;
        }
        catch (FormatException)
        {
            // Written by a node: rubbish is no measurement.
            return null;
        }
    }
}
