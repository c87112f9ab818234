using k8s.Models;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Namespaces;
using Vks.Supervisor.Supervisors;
using Vks.Supervisor.Zones;
using Host = Vks.Supervisor.Zones.Host;

namespace Vks.Supervisor;

/// <summary>Copies of what controllers and placement look at. Every Supervisor keeps them, whether it leads or not.</summary>
internal sealed class ClusterView(ApiClient api, TimeProvider time, ILogger<ClusterView> logger)
{
    /// <summary>Nodes.</summary>
    public Informer<V1Node> Nodes { get; } = new(api, null, time, logger);

    /// <summary>Pods of all namespaces.</summary>
    public Informer<V1Pod> Pods { get; } = new(api, null, time, logger);

    /// <summary>Hosts.</summary>
    public Informer<Host> Hosts { get; } = new(api, null, time, logger);

    /// <summary>Zones of the cluster.</summary>
    public Informer<AvailabilityZone> AvailabilityZones { get; } = new(api, null, time, logger);

    /// <summary>Zones of namespaces.</summary>
    public Informer<Zone> Zones { get; } = new(api, null, time, logger);

    /// <summary>The Supervisor's namespaces.</summary>
    public Informer<SupervisorNamespace> SupervisorNamespaces { get; } = new(api, null, time, logger);

    /// <summary>What users may make namespaces from.</summary>
    public Informer<SupervisorNamespaceTemplate> Templates { get; } = new(api, null, time, logger);

    /// <summary>Storage classes.</summary>
    public Informer<V1StorageClass> StorageClasses { get; } = new(api, null, time, logger);

    /// <summary>Runtime classes.</summary>
    public Informer<V1RuntimeClass> RuntimeClasses { get; } = new(api, null, time, logger);

    /// <summary>Namespaces that are the Supervisor's.</summary>
    public Informer<V1Namespace> Namespaces { get; } = new(api, NamespaceMarks.Owner, time, logger);

    /// <summary>Quotas that the Supervisor made.</summary>
    public Informer<V1ResourceQuota> Quotas { get; } = new(api, NamespaceMarks.Owner, time, logger);

    /// <summary>Limit ranges that the Supervisor made.</summary>
    public Informer<V1LimitRange> LimitRanges { get; } = new(api, NamespaceMarks.Owner, time, logger);

    /// <summary>Role bindings that the Supervisor made.</summary>
    public Informer<V1RoleBinding> RoleBindings { get; } = new(api, NamespaceMarks.Owner, time, logger);

    /// <summary>Control planes: one, or none where members are somebody else's.</summary>
    public Informer<SupervisorObject> Supervisors { get; } = new(api, null, time, logger);

    /// <summary>What members say of themselves.</summary>
    public Informer<V1Lease> MemberLeases { get; } = new(api, MemberReport.Mark, time, logger);

    /// <summary>Completes once everything was listed once.</summary>
    public Task Synced => Task.WhenAll(
        Nodes.Synced, Pods.Synced, Hosts.Synced, AvailabilityZones.Synced, Zones.Synced, SupervisorNamespaces.Synced, Templates.Synced,
        StorageClasses.Synced, RuntimeClasses.Synced, Namespaces.Synced, Quotas.Synced, LimitRanges.Synced, RoleBindings.Synced,
        Supervisors.Synced, MemberLeases.Synced);

    /// <summary>Pods that count against a host: bound to it and not ended.</summary>
    public IEnumerable<V1Pod> PodsOn(string node) => Pods.All.Where(pod => pod.Spec.NodeName == node && !Ended(pod));

    /// <summary>Pods of a namespace that have not ended.</summary>
    public IEnumerable<V1Pod> PodsIn(string space) => Pods.All.Where(pod => pod.Metadata.NamespaceProperty == space && !Ended(pod));

    /// <summary>The zone of a node, or null.</summary>
    public string? ZoneOf(string? node) => node is null ? null : ZoneOf(Nodes.Find("", node));

    /// <summary>The zone of a node, or null.</summary>
    public static string? ZoneOf(V1Node? node) => node?.Metadata.Labels?.TryGetValue(NodeMarks.Zone, out string? zone) == true && zone.Length > 0 ? zone : null;

    /// <summary>Whether a pod holds nothing any more.</summary>
    public static bool Ended(V1Pod pod) => pod.Status?.Phase is "Succeeded" or "Failed";

    /// <summary>Follows the server until cancelled.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(
        Nodes.RunAsync(cancellationToken), Pods.RunAsync(cancellationToken), Hosts.RunAsync(cancellationToken), AvailabilityZones.RunAsync(cancellationToken),
        Zones.RunAsync(cancellationToken), SupervisorNamespaces.RunAsync(cancellationToken), Templates.RunAsync(cancellationToken),
        StorageClasses.RunAsync(cancellationToken), RuntimeClasses.RunAsync(cancellationToken), Namespaces.RunAsync(cancellationToken),
        Quotas.RunAsync(cancellationToken), LimitRanges.RunAsync(cancellationToken), RoleBindings.RunAsync(cancellationToken),
        Supervisors.RunAsync(cancellationToken), MemberLeases.RunAsync(cancellationToken));
}
