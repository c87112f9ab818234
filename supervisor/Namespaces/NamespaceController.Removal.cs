using System.Text.Json.Nodes;
using k8s.Models;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Namespaces;

internal sealed partial class NamespaceController
{
    // What runs is never orphaned: removal waits for it, and tells what it waits for, unless people said that it may go, too.
    private async Task<bool> WorkloadsAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        scope.Namespace = await api.FindAsync<V1Namespace>(null, scope.Name, cancellationToken);
        if (scope.Namespace is null || !IsOurs(scope.Namespace, scope.Name))
        {
            scope.Namespace = null;
            return true;
        }

        scope.Quota = await api.FindAsync<V1ResourceQuota>(scope.Name, NamespaceMarks.ObjectName, cancellationToken);
        scope.LimitRange = await api.FindAsync<V1LimitRange>(scope.Name, NamespaceMarks.ObjectName, cancellationToken);
        scope.Workloads = await WorkloadsOfAsync(scope.Name, cancellationToken);
        bool wait = scope.Workloads.Count > 0 && scope.Wanted.Spec.Removal != SupervisorNamespaceSpec.DeleteWorkloads
            && scope.Namespace.Metadata.DeletionTimestamp is null && !IsAdopted(scope.Namespace);
        if (wait && await api.FindAsync<V1ResourceQuota>(scope.Name, NamespaceMarks.RemovalQuota, cancellationToken) is { } frozen)
        {
            // Something began between the two looks: what runs must be able to go on as before.
            await api.DeleteAsync(frozen, cancellationToken);
        }

        return !wait;
    }

    // Nothing may begin between the last look and the removal.
    private async Task<bool> FreezeAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        if (scope.Namespace is null || scope.Namespace.Metadata.DeletionTimestamp is not null || IsAdopted(scope.Namespace)
            || scope.Wanted.Spec.Removal == SupervisorNamespaceSpec.DeleteWorkloads)
        {
            return true;
        }

        await Ensure.AsAsync(api, scope.Plan.RemovalQuota(), ["spec"], cancellationToken);
        scope.Workloads = await WorkloadsOfAsync(scope.Name, cancellationToken);
        return scope.Workloads.Count == 0;
    }

    private async Task<bool> RemoveNamespaceAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        if (scope.Namespace is null)
        {
            return true;
        }

        if (IsAdopted(scope.Namespace))
        {
            await GiveBackAsync(scope.Namespace, cancellationToken);
            return true;
        }

        if (scope.Namespace.Metadata.DeletionTimestamp is null)
        {
            await api.DeleteAsync(scope.Namespace, cancellationToken);
            scope.Namespace = await api.FindAsync<V1Namespace>(null, scope.Name, cancellationToken);
        }

        return scope.Namespace is null;
    }

    // A Namespace that was there before is as it was: without our limits and without our roles. The label goes last, so that a new process finds the rest.
    private async Task GiveBackAsync(V1Namespace adopted, CancellationToken cancellationToken)
    {
        string space = adopted.Metadata.Name;
        await DeleteAllAsync<V1ResourceQuota>(space, cancellationToken);
        await DeleteAllAsync<V1LimitRange>(space, cancellationToken);
        await DeleteAllAsync<V1RoleBinding>(space, cancellationToken);
        await DeleteAllAsync<Zone>(space, cancellationToken);
        await api.MergeAsync<V1Namespace>(
            null, space,
            new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["labels"] = new JsonObject { [NamespaceMarks.Owner] = null }, ["annotations"] = new JsonObject { [NamespaceMarks.Adopted] = null },
                },
            },
            cancellationToken);
    }

    private async Task DeleteAllAsync<T>(string space, CancellationToken cancellationToken)
        where T : k8s.IKubernetesObject<V1ObjectMeta>
    {
        foreach (T item in (await api.ListAsync<T>(space, $"{NamespaceMarks.Owner}={space}", cancellationToken)).Items)
        {
            await api.DeleteAsync(item, cancellationToken);
        }
    }

    private async Task<bool> RemovePermissionsAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        foreach (string name in scope.Plan.ClusterRoleNames())
        {
            if (await api.FindAsync<V1ClusterRoleBinding>(null, name, cancellationToken) is { } binding)
            {
                await api.DeleteAsync(binding, cancellationToken);
            }

            if (await api.FindAsync<V1ClusterRole>(null, name, cancellationToken) is { } role)
            {
                await api.DeleteAsync(role, cancellationToken);
            }
        }

        return true;
    }

    private async Task<bool> ReleaseAsync(NamespaceScope scope, CancellationToken cancellationToken)
    {
        scope.Wanted = await Finalizer.RemoveAsync(api, scope.Wanted, cancellationToken);
        return true;
    }

    private async Task<IReadOnlyList<string>> WorkloadsOfAsync(string space, CancellationToken cancellationToken)
    {
        (IReadOnlyList<V1Pod> pods, _) = await api.ListAsync<V1Pod>(space, null, cancellationToken);
        (IReadOnlyList<V1PersistentVolumeClaim> claims, _) = await api.ListAsync<V1PersistentVolumeClaim>(space, null, cancellationToken);
        return
        [
            .. pods.Where(pod => !ClusterView.Ended(pod)).Select(pod => $"pod/{pod.Metadata.Name}"),
            .. claims.Select(claim => $"persistentvolumeclaim/{claim.Metadata.Name}"),
        ];
    }

    private static bool IsAdopted(V1Namespace found) => found.Metadata.Annotations?.ContainsKey(NamespaceMarks.Adopted) == true;
}
