using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>How a zone is, computed from its hosts and the namespaces in it. Pure.</summary>
internal static class ZonePlan
{
    /// <summary>Condition: no host of the zone is missing.</summary>
    public const string HostsReady = "HostsReady";

    /// <summary>Condition: namespaces use the zone only if it is for pods.</summary>
    public const string PurposeKept = "PurposeKept";

    /// <summary>Condition: the zone can take pods or members, whichever it is for.</summary>
    public const string Ready = "Ready";

    /// <summary>The status.</summary>
    /// <param name="zone">The object with its former status.</param>
    /// <param name="hosts">All hosts that are or were in it.</param>
    /// <param name="namespaces">Names of the namespaces that name it.</param>
    /// <param name="time">Clock.</param>
    public static AvailabilityZoneStatus Status(AvailabilityZone zone, IReadOnlyCollection<Host> hosts, IReadOnlyCollection<string> namespaces, TimeProvider time)
    {
        ConditionSet conditions = new(zone.Status?.Conditions, zone.Metadata.Generation, time);
        Host[] ready = [.. hosts.Where(host => host.Status?.Phase == "Ready")];
        string missing = string.Join(", ", hosts.Except(ready).Select(host => $"{host.Metadata.Name} ({host.Status?.Phase ?? "unknown"})").Order(StringComparer.Ordinal));
        conditions.Set(HostsReady, hosts.Count > 0 && missing.Length == 0, hosts.Count == 0 ? "NoHosts" : missing.Length > 0 ? "HostsMissing" : "AllReady", missing);
        bool kept = zone.Spec.Purpose != AvailabilityZoneSpec.Management || namespaces.Count == 0;
        conditions.Set(
            PurposeKept, kept, kept ? "PurposeKept" : "ManagementOnly",
            kept ? "" : $"The zone is for the control plane only, yet these namespaces name it: {string.Join(", ", namespaces.Order(StringComparer.Ordinal))}");
        conditions.Set(
            Ready, ready.Length > 0, ready.Length > 0 ? "HostReady" : hosts.Count == 0 ? "NoHosts" : "ZoneLost",
            ready.Length > 0 ? "" : hosts.Count == 0 ? $"No Node has the label {NodeMarks.Zone}={zone.Metadata.Name}" : $"None of its hosts is ready: {missing}");
        return new AvailabilityZoneStatus
        {
            ObservedGeneration = zone.Metadata.Generation,
            ReadyHosts = $"{ready.Length}/{hosts.Count}",
            NamespaceCount = namespaces.Count,
            Hosts = [.. hosts.Select(host => host.Metadata.Name).Order(StringComparer.Ordinal)],
            Conditions = conditions.Now,
        };
    }

    /// <summary>Whether pods of namespaces may run in a zone of this purpose.</summary>
    public static bool TakesPods(string? purpose) => purpose != AvailabilityZoneSpec.Management;

    /// <summary>Whether members of the control plane may be in a zone of this purpose.</summary>
    public static bool TakesMembers(string? purpose) => purpose != AvailabilityZoneSpec.Workload;
}
