using System.Globalization;
using k8s.Models;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Namespaces;

/// <summary>The status of a SupervisorNamespace, computed in one place from what a look saw.</summary>
internal static class NamespaceConditions
{
    /// <summary>Condition: the Namespace is there and ours.</summary>
    public const string NamespaceReady = "NamespaceReady";

    /// <summary>Condition: every zone is there, takes pods, and has a host that is ready.</summary>
    public const string ZonesReady = "ZonesReady";

    /// <summary>Condition: limits and defaults are in force.</summary>
    public const string LimitsReady = "LimitsReady";

    /// <summary>Condition: every storage class that may be used is there.</summary>
    public const string StorageReady = "StorageReady";

    /// <summary>Condition: roles are given.</summary>
    public const string PermissionsReady = "PermissionsReady";

    /// <summary>Condition, while it is removed: nothing runs in it any more.</summary>
    public const string WorkloadsGone = "WorkloadsGone";

    /// <summary>Condition: all of the above.</summary>
    public const string Ready = "Ready";

    private static readonly (string Resource, Action<NamespaceSummary, string> Put)[] s_columns =
    [
        ("limits.cpu", static (summary, text) => summary.Cpu = text),
        ("limits.memory", static (summary, text) => summary.Memory = text),
        ("pods", static (summary, text) => summary.Pods = text),
        ("requests.storage", static (summary, text) => summary.Storage = text),
    ];

    /// <summary>The status.</summary>
    public static SupervisorNamespaceStatus Compute(NamespaceScope scope, ClusterView view, TimeProvider time)
    {
        SupervisorNamespace item = scope.Wanted;
        ConditionSet conditions = new(item.Status?.Conditions, item.Metadata.Generation, time);
        List<ZoneShare> zones = Zones(scope, view);
        SetNamespace(conditions, scope);
        SetZones(conditions, zones, view);
        SetLimits(conditions, scope);
        string[] missing = [.. (item.Spec.StorageClasses ?? []).Select(allowed => allowed.Name).Where(name => view.StorageClasses.Find("", name) is null)];
        conditions.Set(
            StorageReady, missing.Length == 0, missing.Length == 0 ? "ClassesFound" : "ClassMissing",
            missing.Length == 0 ? "" : $"There is no StorageClass {string.Join(", ", missing)}");
        conditions.Set(
            PermissionsReady, scope.RoleBindings is null ? (scope.NotOurs ? false : null) : true, scope.RoleBindings is null ? "NotLooked" : "RolesBound",
            scope.RoleBindings is null ? "Earlier steps come first" : "");
        if (item.IsBeingRemoved)
        {
            SetRemoval(conditions, scope);
        }
        else
        {
            conditions.Summarize(Ready, "NamespaceReady");
        }

        List<ResourceUse> usage = Usage(scope.Quota);
        return new SupervisorNamespaceStatus
        {
            ObservedGeneration = item.Metadata.Generation,
            Phase = Phase(scope, conditions),
            Summary = Summary(item, usage),
            Usage = usage,
            Zones = zones,
            Conditions = conditions.Now,
        };
    }

    private static string Phase(NamespaceScope scope, ConditionSet conditions) =>
        scope.Wanted.IsBeingRemoved ? "Removing"
        : scope.NotOurs || scope.Refused is not null ? "Error"
        : conditions.Holds(NamespaceReady) && conditions.Holds(LimitsReady) && conditions.Holds(PermissionsReady) ? "Running"
        : "Configuring";

    private static void SetNamespace(ConditionSet conditions, NamespaceScope scope)
    {
        if (scope.NotOurs)
        {
            conditions.Set(NamespaceReady, false, "NotOurs", $"There is a Namespace {scope.Name} already that the Supervisor did not make. Set spec.adopt to take it, or choose another name");
        }
        else if (scope.Refused is { } refused)
        {
            conditions.Set(NamespaceReady, false, "Refused", $"{refused.Phase}: the API server refuses: {refused.Cause.Answer}");
        }
        else if (scope.Namespace?.Metadata.DeletionTimestamp is not null)
        {
            string left = string.Join("; ", (scope.Namespace.Status?.Conditions ?? []).Where(condition => condition.Status == "True").Select(condition => condition.Message));
            conditions.Set(NamespaceReady, false, "Terminating", $"The Namespace is being removed{(left.Length == 0 ? "" : ": " + left)}");
        }
        else
        {
            conditions.Set(NamespaceReady, scope.Namespace is not null, scope.Namespace is null ? "Missing" : "NamespaceActive", "");
        }
    }

    private static void SetZones(ConditionSet conditions, List<ZoneShare> zones, ClusterView view)
    {
        if (zones.Count == 0)
        {
            conditions.Set(ZonesReady, false, "NoZones", "No zone is named, and no template has named any: its admission was not asked. Set spec.zones");
            return;
        }

        string[] faults = [.. zones.Where(zone => !zone.Ready).Select(zone => view.AvailabilityZones.Find("", zone.Name) switch
        {
            null => $"{zone.Name} is unknown: no Node has the label {NodeMarks.Zone}={zone.Name}",
            { } known when !ZonePlan.TakesPods(known.Spec.Purpose) => $"{zone.Name} is for the control plane only",
            { } known => $"{zone.Name} has no ready host ({known.Status?.ReadyHosts ?? "0/0"})",
        })];
        conditions.Set(ZonesReady, faults.Length == 0, faults.Length == 0 ? "ZonesReady" : "ZoneNotReady", string.Join("; ", faults));
    }

    private static void SetLimits(ConditionSet conditions, NamespaceScope scope)
    {
        if (scope.Quota is null || scope.LimitRange is null)
        {
            conditions.Set(LimitsReady, null, "NotLooked", "Earlier steps come first");
            return;
        }

        // Until the quota controller has counted, the server refuses everything, which is safe and not ready.
        bool counted = (scope.Quota.Spec.Hard ?? new Dictionary<string, ResourceQuantity>()).All(limit =>
            scope.Quota.Status?.Hard?.TryGetValue(limit.Key, out ResourceQuantity? seen) == true && seen == limit.Value);
        conditions.Set(LimitsReady, counted, counted ? "LimitsInForce" : "NotCounted", counted ? "" : "The quota was changed and is not counted yet");
    }

    private static void SetRemoval(ConditionSet conditions, NamespaceScope scope)
    {
        IReadOnlyList<string> left = scope.Workloads ?? [];
        string names = string.Join(", ", left.Take(10)) + (left.Count > 10 ? string.Create(CultureInfo.InvariantCulture, $" and {left.Count - 10} more") : "");
        bool waits = scope.Wanted.Spec.Removal != SupervisorNamespaceSpec.DeleteWorkloads && left.Count > 0;
        conditions.Set(
            WorkloadsGone, scope.Workloads is null ? null : left.Count == 0, left.Count == 0 ? "NothingRuns" : waits ? "WorkloadsRun" : "WorkloadsEnd",
            waits ? $"Removal waits for {names}. Delete them, or set spec.removal to {SupervisorNamespaceSpec.DeleteWorkloads}" : names);
        conditions.Set(Ready, false, "Removing", waits ? $"Removal waits for {left.Count} workloads" : "");
    }

    private static List<ZoneShare> Zones(NamespaceScope scope, ClusterView view)
    {
        Dictionary<string, int> pods = view.PodsIn(scope.Name).GroupBy(pod => view.ZoneOf(pod.Spec.NodeName) ?? "").ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
        return [.. scope.Wanted.Spec.Zones.Order(StringComparer.Ordinal).Select(name => new ZoneShare
        {
            Name = name,
            Pods = pods.GetValueOrDefault(name),
            Ready = view.AvailabilityZones.Find("", name) is { } zone && ZonePlan.TakesPods(zone.Spec.Purpose)
                && zone.Status?.Conditions?.Any(condition => condition is { Type: ZonePlan.Ready, Status: "True" }) == true,
        })];
    }

    private static List<ResourceUse> Usage(V1ResourceQuota? quota) =>
        [.. (quota?.Status?.Hard ?? new Dictionary<string, ResourceQuantity>()).OrderBy(limit => limit.Key, StringComparer.Ordinal).Select(limit => new ResourceUse
        {
            Resource = limit.Key,
            Limit = limit.Value.ToString(),
            Used = quota!.Status.Used?.TryGetValue(limit.Key, out ResourceQuantity? used) == true ? used.ToString() : "0",
        })];

    private static NamespaceSummary Summary(SupervisorNamespace item, List<ResourceUse> usage)
    {
        NamespaceSummary summary = new() { Zones = string.Join(",", item.Spec.Zones.Order(StringComparer.Ordinal)) };
        foreach ((string resource, Action<NamespaceSummary, string> put) in s_columns)
        {
            if (usage.Find(use => use.Resource == resource) is { } use)
            {
                put(summary, $"{use.Used}/{use.Limit}");
            }
        }

        return summary;
    }
}
