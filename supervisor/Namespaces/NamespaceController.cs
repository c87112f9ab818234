using k8s.Models;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Namespaces;

/// <summary>Makes Kubernetes' objects be what SupervisorNamespaces say, and takes them back.</summary>
/// <remarks>A look is a list of phases, each of which may be the first thing a new process does: it looks at what is there and does what is missing.</remarks>
internal sealed partial class NamespaceController(ClusterView view, ApiClient api, EventRecorder events, TimeProvider time) : IController
{
    /// <summary>While something is awaited that no watch of ours tells.</summary>
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromSeconds(5);

    /// <summary>One step: true when the next may follow in this look.</summary>
    private delegate Task<bool> Phase(NamespaceScope scope, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public string Name => "namespace";

    private (string Name, Phase Run)[] Life =>
    [
        ("finalizer", FinalizerAsync), ("namespace", NamespaceAsync), ("zones", ZonesAsync), ("limits", LimitsAsync), ("permissions", PermissionsAsync),
    ];

    private (string Name, Phase Run)[] Removal =>
    [
        ("workloads", WorkloadsAsync), ("freeze", FreezeAsync), ("namespace", RemoveNamespaceAsync), ("permissions", RemovePermissionsAsync), ("finalizer", ReleaseAsync),
    ];

    /// <inheritdoc/>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        SupervisorNamespace? item = await api.FindAsync<SupervisorNamespace>(null, key.Name, cancellationToken);
        if (item is null || (item.IsBeingRemoved && !Finalizer.IsOn(item)))
        {
            return null;
        }

        NamespaceScope scope = new(item, new NamespacePlan(item, Overhead()));
        bool whole = await RunAsync(item.IsBeingRemoved ? Removal : Life, scope, cancellationToken);
        if (!scope.Wanted.IsBeingRemoved || Finalizer.IsOn(scope.Wanted))
        {
            await ReportAsync(scope, cancellationToken);
        }

        // A refusal may end without any change that we would see: a webhook, a policy.
        return whole ? null : s_lookAgain;
    }

    private static async Task<bool> RunAsync((string Name, Phase Run)[] phases, NamespaceScope scope, CancellationToken cancellationToken)
    {
        foreach ((string name, Phase run) in phases)
        {
            try
            {
                if (!await run(scope, cancellationToken))
                {
                    return false;
                }
            }
            catch (ApiException refused) when (refused.Fault is ApiFault.Invalid or ApiFault.Forbidden)
            {
                scope.Refused = (name, refused);
                return false;
            }
        }

        return true;
    }

    private async Task ReportAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        SupervisorNamespaceStatus status = NamespaceConditions.Compute(scope, view, time);
        string? before = scope.Wanted.Status?.Phase;
        V1Condition? was = scope.Wanted.Status?.Conditions?.FirstOrDefault(condition => condition.Type == NamespaceConditions.Ready);
        V1Condition ready = status.Conditions!.Single(condition => condition.Type == NamespaceConditions.Ready);
        await StatusWriter.WriteAsync<SupervisorNamespace, SupervisorNamespaceSpec, SupervisorNamespaceStatus>(api, scope.Wanted, status, cancellationToken);
        if (before != status.Phase || (was?.Status != ready.Status && was is not null))
        {
            await events.TellAsync(
                scope.Wanted, status.Phase == "Error" || (status.Phase == "Running" && ready.Status != "True"), status.Phase!, ready.Message, cancellationToken);
        }
    }

    private PodOverhead Overhead()
    {
        IDictionary<string, ResourceQuantity>? set = view.RuntimeClasses.Find("", OverheadController.Crx)?.Overhead?.PodFixed;
        return set is null
            ? HostPlan.DefaultOverhead
            : new PodOverhead
            {
                Cpu = set.TryGetValue("cpu", out ResourceQuantity? cpu) ? cpu : null, Memory = set.TryGetValue("memory", out ResourceQuantity? memory) ? memory : null,
            };
    }

    // Before anything is made that would have to be taken back.
    private async Task<bool> FinalizerAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        if (!Finalizer.IsOn(scope.Wanted))
        {
            SupervisorNamespaceStatus? status = scope.Wanted.Status;
            scope.Wanted = await Finalizer.AddAsync(api, scope.Wanted, cancellationToken);
            scope.Wanted.Status ??= status;
        }

        return true;
    }

    private async Task<bool> NamespaceAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        V1Namespace? found = await api.FindAsync<V1Namespace>(null, scope.Name, cancellationToken);
        if (found is null)
        {
            scope.Namespace = await api.CreateAsync(scope.Plan.Namespace(), cancellationToken);
            return true;
        }

        scope.Namespace = found;
        if (IsOurs(found, scope.Name))
        {
            // Somebody removed it: it is made anew once it is gone, and its watch tells when.
            return found.Metadata.DeletionTimestamp is null;
        }

        if (!scope.Wanted.Spec.Adopt)
        {
            scope.NotOurs = true;
            return false;
        }

        V1Namespace wanted = scope.Plan.Namespace();
        wanted.Metadata.Annotations = new Dictionary<string, string> { [NamespaceMarks.Adopted] = "true" };
        scope.Namespace = await Ensure.AsAsync(api, wanted, [], cancellationToken);
        await events.TellAsync(scope.Wanted, false, "Adopted", "The Namespace was there already. It is kept when the SupervisorNamespace is removed", cancellationToken);
        return true;
    }

    // A zone that was given up goes once its last pod has gone: what runs is never taken away by a change of zones.
    private async Task<bool> ZonesAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        foreach (Zone wanted in scope.Plan.Zones())
        {
            await ReportZoneAsync(scope, await Ensure.AsAsync(api, wanted, ["spec"], cancellationToken), givenUp: false, cancellationToken);
        }

        foreach (Zone dropped in view.Zones.All.Where(zone => zone.Metadata.NamespaceProperty == scope.Name && !scope.Wanted.Spec.Zones.Contains(zone.Metadata.Name)))
        {
            if (Pods(scope, dropped.Metadata.Name) == 0)
            {
                await api.DeleteAsync(dropped, cancellationToken);
            }
            else if (await api.FindAsync<Zone>(scope.Name, dropped.Metadata.Name, cancellationToken) is { } zone)
            {
                await ReportZoneAsync(scope, zone, givenUp: true, cancellationToken);
            }
        }

        return true;
    }

    private async Task ReportZoneAsync(NamespaceScope scope, Zone zone, bool givenUp, CancellationToken cancellationToken)
    {
        AvailabilityZone? whole = view.AvailabilityZones.Find("", zone.Metadata.Name);
        ConditionSet conditions = new(zone.Status?.Conditions, zone.Metadata.Generation, time);
        V1Condition? ready = whole?.Status?.Conditions?.FirstOrDefault(condition => condition.Type == ZonePlan.Ready);
        conditions.Set(ZonePlan.Ready, ready?.Status switch { "True" => !givenUp, "False" => false, _ => null }, givenUp ? "GivenUp" : ready?.Reason ?? "Unknown", givenUp ? "The namespace no longer names this zone; pods that run in it stay" : ready?.Message ?? "The zone is not known yet");
        ZoneStatus status = new()
        {
            ObservedGeneration = zone.Metadata.Generation,
            Pods = Pods(scope, zone.Metadata.Name),
            ReadyHosts = whole?.Status?.ReadyHosts,
            MarkedForRemoval = givenUp ? true : null,
            Conditions = conditions.Now,
        };
        await StatusWriter.WriteAsync<Zone, ZoneSpec, ZoneStatus>(api, zone, status, cancellationToken);
    }

    private async Task<bool> LimitsAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        scope.Quota = await Ensure.AsAsync(api, scope.Plan.Quota(view.StorageClasses.All.Select(item => item.Metadata.Name)), ["spec"], cancellationToken);
        scope.LimitRange = await Ensure.AsAsync(api, scope.Plan.LimitRange(), ["spec"], cancellationToken);
        return true;
    }

    private async Task<bool> PermissionsAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        int bound = 0;
        foreach (V1RoleBinding wanted in scope.Plan.RoleBindings())
        {
            // The role of a binding cannot be changed: one that was made by hand under this name goes first.
            V1RoleBinding? found = await api.FindAsync<V1RoleBinding>(scope.Name, wanted.Metadata.Name, cancellationToken);
            if (found is not null && found.RoleRef.Name != wanted.RoleRef.Name)
            {
                await api.DeleteAsync(found, cancellationToken);
            }

            await Ensure.AsAsync(api, wanted, ["subjects"], cancellationToken);
            bound++;
        }

        foreach ((V1ClusterRole role, V1ClusterRoleBinding binding) in scope.Plan.ClusterRoles())
        {
            await Ensure.AsAsync(api, role, ["rules"], cancellationToken);
            await Ensure.AsAsync(api, binding, ["subjects"], cancellationToken);
        }

        scope.RoleBindings = bound;
        return true;
    }

    private static bool IsOurs(V1Namespace found, string name) => found.Metadata.Labels?.TryGetValue(NamespaceMarks.Owner, out string? owner) == true && owner == name;

    private int Pods(NamespaceScope scope, string zone) => view.PodsIn(scope.Name).Count(pod => view.ZoneOf(pod.Spec.NodeName) == zone);
}
