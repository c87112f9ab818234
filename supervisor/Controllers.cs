using k8s;
using k8s.Models;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Namespaces;
using Vks.Supervisor.Supervisors;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor;

/// <summary>All controllers, and which change makes which of them look at what. Runs on the leader only.</summary>
internal sealed class Controllers(ClusterView view, ApiClient api, EventRecorder events, TimeProvider time, ILogger<Controllers> logger)
{
    /// <summary>Pods come and go in crowds: counts are told once for many of them.</summary>
    private static readonly TimeSpan s_gather = TimeSpan.FromMilliseconds(500);

    private readonly List<Action> _unsubscribe = [];

    /// <summary>Looks at everything once, then at what changes, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await view.Synced.WaitAsync(cancellationToken);
        using ControllerLoop hosts = new(new HostController(view, api, events, time), time, logger);
        using ControllerLoop zones = new(new AvailabilityZoneController(view, api, events, time), time, logger);
        using ControllerLoop namespaces = new(new NamespaceController(view, api, events, time), time, logger);
        using ControllerLoop templates = new(new TemplateController(api), time, logger);
        using ControllerLoop overhead = new(new OverheadController(view, api), time, logger);
        using ControllerLoop supervisors = new(new SupervisorController(view, api, events, time), time, logger);
        try
        {
            WatchHosts(hosts.Queue, overhead.Queue);
            WatchZones(zones.Queue);
            WatchNamespaces(namespaces.Queue);
            On(view.Templates, item => Add(templates.Queue, item.Metadata.Name));
            WatchSupervisors(supervisors.Queue);
            Seed(hosts.Queue, zones.Queue, namespaces.Queue, templates.Queue, overhead.Queue);
            await Task.WhenAll(
                hosts.RunAsync(cancellationToken), zones.RunAsync(cancellationToken), namespaces.RunAsync(cancellationToken), templates.RunAsync(cancellationToken),
                overhead.RunAsync(cancellationToken), supervisors.RunAsync(cancellationToken));
        }
        finally
        {
            _unsubscribe.ForEach(static off => off());
            _unsubscribe.Clear();
        }
    }

    private void WatchHosts(WorkQueue hosts, WorkQueue overhead)
    {
        On(view.Nodes, node => Add(hosts, node.Metadata.Name));
        On(view.Hosts, host => Add(hosts, host.Metadata.Name));
        On(view.Pods, pod => Later(hosts, pod.Spec.NodeName));
        On(view.Nodes, _ => AddOverhead(overhead));
        On(view.RuntimeClasses, _ => AddOverhead(overhead));
    }

    private void WatchZones(WorkQueue zones)
    {
        On(view.Hosts, host => Add(zones, host.Status?.Zone));
        On(view.AvailabilityZones, zone => Add(zones, zone.Metadata.Name));
        On(view.SupervisorNamespaces, item =>
        {
            foreach (string zone in item.Spec.Zones)
            {
                Add(zones, zone);
            }
        });
    }

    private void WatchSupervisors(WorkQueue supervisors)
    {
        On(view.Supervisors, item => Add(supervisors, item.Metadata.Name));
        On(view.MemberLeases, lease => Add(supervisors, lease.Metadata.Labels?[MemberReport.Mark]));
        foreach (SupervisorObject item in view.Supervisors.All)
        {
            Add(supervisors, item.Metadata.Name);
        }
    }

    private void WatchNamespaces(WorkQueue namespaces)
    {
        On(view.SupervisorNamespaces, item => Add(namespaces, item.Metadata.Name));
        On(view.Namespaces, item => Add(namespaces, Owner(item)));
        On(view.Quotas, item => Add(namespaces, Owner(item)));
        On(view.LimitRanges, item => Add(namespaces, Owner(item)));
        On(view.RoleBindings, item => Add(namespaces, Owner(item)));
        On(view.Zones, item => Add(namespaces, item.Metadata.NamespaceProperty));
        On(view.Pods, pod => Later(namespaces, view.SupervisorNamespaces.Find("", pod.Metadata.NamespaceProperty)?.Metadata.Name));
        On(view.StorageClasses, _ => AddAll(namespaces));
        On(view.RuntimeClasses, _ => AddAll(namespaces));
        On(view.AvailabilityZones, zone =>
        {
            foreach (SupervisorNamespace item in view.SupervisorNamespaces.All.Where(item => item.Spec.Zones.Contains(zone.Metadata.Name)))
            {
                Add(namespaces, item.Metadata.Name);
            }
        });
    }

    private void Seed(WorkQueue hosts, WorkQueue zones, WorkQueue namespaces, WorkQueue templates, WorkQueue overhead)
    {
        foreach (string name in view.Nodes.All.Select(node => node.Metadata.Name).Concat(view.Hosts.All.Select(host => host.Metadata.Name)))
        {
            Add(hosts, name);
        }

        foreach (string? name in view.Hosts.All.Select(host => host.Status?.Zone).Concat(view.AvailabilityZones.All.Select(zone => zone.Metadata.Name)))
        {
            Add(zones, name);
        }

        foreach (SupervisorNamespaceTemplate template in view.Templates.All)
        {
            Add(templates, template.Metadata.Name);
        }

        AddAll(namespaces);
        AddOverhead(overhead);
    }

    private static void AddOverhead(WorkQueue queue)
    {
        Add(queue, OverheadController.Crx);
        Add(queue, OverheadController.Isolated);
    }

    private void AddAll(WorkQueue namespaces)
    {
        foreach (SupervisorNamespace item in view.SupervisorNamespaces.All)
        {
            Add(namespaces, item.Metadata.Name);
        }
    }

    // What a change was from counts as much as what it is now: a host that left a zone concerns both zones.
    private void On<T>(Informer<T> informer, Action<T> look)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        Action<T?, T?> handler = (before, after) =>
        {
            if (before is not null)
            {
                look(before);
            }

            if (after is not null)
            {
                look(after);
            }
        };
        informer.Changed += handler;
        _unsubscribe.Add(() => informer.Changed -= handler);
    }

    private static void Add(WorkQueue queue, string? name)
    {
        if (!string.IsNullOrEmpty(name))
        {
            queue.Add(new ObjectKey("", name));
        }
    }

    private static void Later(WorkQueue queue, string? name)
    {
        if (!string.IsNullOrEmpty(name))
        {
            queue.AddAfter(new ObjectKey("", name), s_gather);
        }
    }

    private static string? Owner(IKubernetesObject<V1ObjectMeta> item) =>
        item.Metadata.Labels?.TryGetValue(NamespaceMarks.Owner, out string? name) == true ? name : null;
}
