using System.Text.Json.Nodes;
using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Zones;

/// <summary>Keeps an AvailabilityZone for every zone that hosts are or were in, or that a namespace names.</summary>
internal sealed class AvailabilityZoneController(ClusterView view, ApiClient api, EventRecorder events, TimeProvider time) : IController
{
    /// <summary>Label of zones that were made from Nodes; others were made by people and are never deleted.</summary>
    private const string Made = "supervisor.vks.dev/made-from-nodes";

    /// <inheritdoc/>
    public string Name => "availabilityzone";

    /// <inheritdoc/>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        Host[] hosts = [.. view.Hosts.All.Where(host => host.Status?.Zone == key.Name)];
        string[] namespaces = [.. view.SupervisorNamespaces.All.Where(item => item.Spec.Zones.Contains(key.Name)).Select(item => item.Metadata.Name)];
        AvailabilityZone? zone = await api.FindAsync<AvailabilityZone>(null, key.Name, cancellationToken);
        if (zone is null && hosts.Length == 0)
        {
            return null;
        }

        if (zone is null)
        {
            zone = AvailabilityZone.Named(key.Name);
            zone.Metadata.Labels = new Dictionary<string, string> { [Made] = "true" };
            zone = await api.CreateAsync(zone, cancellationToken);
        }

        if (zone.IsBeingRemoved)
        {
            return null;
        }

        if (hosts.Length == 0 && namespaces.Length == 0 && zone.Metadata.Labels?.ContainsKey(Made) == true)
        {
            await api.DeleteAsync(zone, cancellationToken);
            return null;
        }

        zone = await ListNamespacesAsync(zone, namespaces, cancellationToken);
        V1Condition? before = zone.Status?.Conditions?.FirstOrDefault(condition => condition.Type == ZonePlan.Ready);
        AvailabilityZoneStatus status = ZonePlan.Status(zone, hosts, namespaces, time);
        await StatusWriter.WriteAsync<AvailabilityZone, AvailabilityZoneSpec, AvailabilityZoneStatus>(api, zone, status, cancellationToken);
        V1Condition ready = status.Conditions!.Single(condition => condition.Type == ZonePlan.Ready);
        if (before is not null && before.Status != ready.Status)
        {
            await events.TellAsync(zone, ready.Status != "True", ready.Status == "True" ? "ZoneReturned" : "ZoneLost", ready.Status == "True" ? $"{status.ReadyHosts} hosts are ready" : ready.Message, cancellationToken);
        }

        return null;
    }

    // Clients of vSphere find here which namespaces may use a zone.
    private async Task<AvailabilityZone> ListNamespacesAsync(AvailabilityZone zone, string[] namespaces, CancellationToken cancellationToken)
    {
        JsonObject patch = [];
        foreach (string name in namespaces.Where(name => zone.Spec.Namespaces?.ContainsKey(name) != true))
        {
            patch[name] = new JsonObject { ["poolMoIDs"] = new JsonArray(name), ["folderMoId"] = name };
        }

        foreach (string gone in (zone.Spec.Namespaces?.Keys ?? []).Except(namespaces))
        {
            patch[gone] = null;
        }

        return patch.Count == 0
            ? zone
            : await api.MergeAsync<AvailabilityZone>(null, zone.Metadata.Name, new JsonObject { ["spec"] = new JsonObject { ["namespaces"] = patch } }, cancellationToken);
    }
}
