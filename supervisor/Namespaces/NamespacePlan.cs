using System.Globalization;
using k8s.Models;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Namespaces;

/// <summary>The Kubernetes objects that a SupervisorNamespace stands for. Pure.</summary>
internal sealed class NamespacePlan
{
    private const string RbacGroup = "rbac.authorization.k8s.io";

    private readonly SupervisorNamespace _wanted;
    private readonly PodOverhead _overhead;

    /// <summary>Plans one namespace.</summary>
    /// <param name="wanted">What people want.</param>
    /// <param name="overhead">What a pod costs beyond its containers.</param>
    public NamespacePlan(SupervisorNamespace wanted, PodOverhead overhead) => (_wanted, _overhead) = (wanted, overhead);

    private string Name => _wanted.Metadata.Name;

    private SupervisorNamespaceSpec Spec => _wanted.Spec;

    /// <summary>The Namespace.</summary>
    public V1Namespace Namespace() => new() { ApiVersion = "v1", Kind = "Namespace", Metadata = new V1ObjectMeta { Name = Name, Labels = Labels() } };

    /// <summary>The limits as a quota, with nothing left of every storage class that may not be used.</summary>
    /// <param name="storageClasses">All classes there are.</param>
    public V1ResourceQuota Quota(IEnumerable<string> storageClasses)
    {
        Dictionary<string, ResourceQuantity> hard = [];
        if (Spec.Limits?.Cpu is { } cpu)
        {
            hard["limits.cpu"] = hard["requests.cpu"] = cpu;
        }

        if (Spec.Limits?.Memory is { } memory)
        {
            hard["limits.memory"] = hard["requests.memory"] = memory;
        }

        if (Spec.Limits?.Storage is { } storage)
        {
            hard["requests.storage"] = storage;
        }

        if (Spec.Limits?.Pods is { } pods)
        {
            // Counts pods that have not ended, as count/pods would not.
            hard["pods"] = new ResourceQuantity(pods.ToString(CultureInfo.InvariantCulture));
        }

        foreach (StorageClassLimit allowed in Spec.StorageClasses ?? [])
        {
            if (allowed.Limit is { } limit)
            {
                hard[$"{allowed.Name}.storageclass.storage.k8s.io/requests.storage"] = limit;
            }
        }

        foreach (string other in storageClasses.Except((Spec.StorageClasses ?? []).Select(allowed => allowed.Name)))
        {
            hard[$"{other}.storageclass.storage.k8s.io/persistentvolumeclaims"] = new ResourceQuantity("0");
        }

        return new V1ResourceQuota { ApiVersion = "v1", Kind = "ResourceQuota", Metadata = Meta(NamespaceMarks.ObjectName), Spec = new V1ResourceQuotaSpec { Hard = hard } };
    }

    /// <summary>Nothing may begin any more. What is there goes on.</summary>
    public V1ResourceQuota RemovalQuota() => new()
    {
        ApiVersion = "v1",
        Kind = "ResourceQuota",
        Metadata = Meta(NamespaceMarks.RemovalQuota),
        Spec = new V1ResourceQuotaSpec { Hard = new Dictionary<string, ResourceQuantity> { ["pods"] = new("0"), ["persistentvolumeclaims"] = new("0") } },
    };

    /// <summary>
    /// Defaults for containers, and the largest pod: one that no quota could ever hold is refused by name of the limit. Upstream counts a pod's overhead
    /// in the quota and not in a limit range, so it is taken off here.
    /// </summary>
    public V1LimitRange LimitRange()
    {
        ContainerDefaults defaults = Spec.Defaults ?? new ContainerDefaults();
        ResourceQuantity? cpu = Less(Spec.Limits?.Cpu, _overhead.Cpu, PodRequest.Millis, "m");
        ResourceQuantity? memory = Less(Spec.Limits?.Memory, _overhead.Memory, PodRequest.Units, "");
        ResourceQuantity cpuLimit = Smaller(defaults.CpuLimit, cpu);
        ResourceQuantity memoryLimit = Smaller(defaults.MemoryLimit, memory);
        List<V1LimitRangeItem> items =
        [
            new()
            {
                Type = "Container",
                DefaultProperty = new Dictionary<string, ResourceQuantity> { ["cpu"] = cpuLimit, ["memory"] = memoryLimit },
                DefaultRequest = new Dictionary<string, ResourceQuantity>
                {
                    ["cpu"] = Smaller(defaults.CpuRequest, cpuLimit), ["memory"] = Smaller(defaults.MemoryRequest, memoryLimit),
                },
            },
        ];
        Dictionary<string, ResourceQuantity> most = [];
        if (cpu is not null)
        {
            most["cpu"] = cpu;
        }

        if (memory is not null)
        {
            most["memory"] = memory;
        }

        if (most.Count > 0)
        {
            items.Add(new V1LimitRangeItem { Type = "Pod", Max = most });
        }

        return new V1LimitRange { ApiVersion = "v1", Kind = "LimitRange", Metadata = Meta(NamespaceMarks.ObjectName), Spec = new V1LimitRangeSpec { Limits = items } };
    }

    /// <summary>Who may do what inside: upstream's view, edit and admin.</summary>
    public IEnumerable<V1RoleBinding> RoleBindings()
    {
        foreach ((string role, string upstream) in ((string, string)[])[(Permission.View, "view"), (Permission.Edit, "edit"), (Permission.Owner, "admin")])
        {
            yield return new V1RoleBinding
            {
                ApiVersion = $"{RbacGroup}/v1",
                Kind = "RoleBinding",
                Metadata = Meta($"{NamespaceMarks.ObjectName}-{role}"),
                RoleRef = new V1RoleRef { ApiGroup = RbacGroup, Kind = "ClusterRole", Name = upstream },
                Subjects = [.. Subjects(permission => permission.Role == role)],
            };
        }
    }

    /// <summary>Everybody in it may see the SupervisorNamespace itself, owners may remove it.</summary>
    public IEnumerable<(V1ClusterRole Role, V1ClusterRoleBinding Binding)> ClusterRoles()
    {
        yield return Own("view", ["get"], _ => true);
        yield return Own(Permission.Owner, ["get", "delete"], permission => permission.Role == Permission.Owner);
    }

    /// <summary>Names of what <see cref="ClusterRoles"/> makes, for its removal.</summary>
    public IEnumerable<string> ClusterRoleNames() => [ClusterRoleName("view"), ClusterRoleName(Permission.Owner)];

    /// <summary>The namespace's zones.</summary>
    public IEnumerable<Zone> Zones() => Spec.Zones.Select(name =>
    {
        Zone zone = Zone.In(Name, name);
        zone.Metadata.Labels = Labels();
        return zone;
    });

    private (V1ClusterRole Role, V1ClusterRoleBinding Binding) Own(string role, string[] verbs, Func<Permission, bool> who)
    {
        string name = ClusterRoleName(role);
        return (
            new V1ClusterRole
            {
                ApiVersion = $"{RbacGroup}/v1",
                Kind = "ClusterRole",
                Metadata = new V1ObjectMeta { Name = name, Labels = Labels() },
                Rules = [new V1PolicyRule { ApiGroups = ["supervisor.vks.dev"], Resources = ["supervisornamespaces"], ResourceNames = [Name], Verbs = verbs }],
            },
            new V1ClusterRoleBinding
            {
                ApiVersion = $"{RbacGroup}/v1",
                Kind = "ClusterRoleBinding",
                Metadata = new V1ObjectMeta { Name = name, Labels = Labels() },
                RoleRef = new V1RoleRef { ApiGroup = RbacGroup, Kind = "ClusterRole", Name = name },
                Subjects = [.. Subjects(who)],
            });
    }

    private string ClusterRoleName(string role) => $"vks-namespace-{role}:{Name}";

    private IEnumerable<Rbacv1Subject> Subjects(Func<Permission, bool> who) =>
        (Spec.Permissions ?? []).Where(who).Select(permission => new Rbacv1Subject { ApiGroup = RbacGroup, Kind = permission.Kind, Name = permission.Name });

    private V1ObjectMeta Meta(string name) => new() { Name = name, NamespaceProperty = Name, Labels = Labels() };

    private Dictionary<string, string> Labels() => new() { [NamespaceMarks.Owner] = Name };

    private static ResourceQuantity Smaller(ResourceQuantity one, ResourceQuantity? other) => other is not null && other.ToDecimal() < one.ToDecimal() ? other : one;

    private static ResourceQuantity? Less(ResourceQuantity? limit, ResourceQuantity? overhead, Func<ResourceQuantity?, long> read, string unit) =>
        limit is null ? null : new ResourceQuantity(string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, read(limit) - read(overhead))}{unit}"));
}
