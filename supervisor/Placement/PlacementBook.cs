using System.Collections.Concurrent;
using k8s.Models;
using Vks.Supervisor.Namespaces;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Placement;

/// <summary>
/// The facts for placements: what the API server shows, and the places that were given since. kube-scheduler asks for the next pod before the last
/// one's binding is done, so what is only seen is always a little late.
/// </summary>
internal sealed class PlacementBook(ClusterView view, TimeProvider time)
{
    private static readonly TimeSpan s_reserved = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Reservation> _reserved = [];

    /// <summary>The question for a pod.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="candidates">Hosts that kube-scheduler's own rules left.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Precondition"/>: the namespace's zones are not known yet.</exception>
    public PlacementQuestion Ask(V1Pod pod, IEnumerable<string> candidates)
    {
        string space = pod.Metadata.NamespaceProperty;
        Dictionary<string, List<(string Uid, string Space, string? Owner, PodRequest Request)>> byHost = ByHost(pod.Metadata.Uid);
        HostFacts[] hosts = [.. view.Nodes.All.Select(node => Facts(pod, node, byHost.GetValueOrDefault(node.Metadata.Name) ?? []))];
        Dictionary<string, string?> zones = hosts.ToDictionary(host => host.Name, host => host.Zone, StringComparer.Ordinal);
        (string Space, string? Owner, string Zone)[] placed =
        [
            .. byHost.SelectMany(entry => entry.Value.Select(item => (item.Space, item.Owner, Zone: zones.GetValueOrDefault(entry.Key) ?? ""))).Where(item => item.Space == space),
        ];
        return new PlacementQuestion
        {
            Request = PodRequest.Of(pod),
            Zones = ZonesOf(space),
            Candidates = candidates.ToHashSet(StringComparer.Ordinal),
            Hosts = hosts,
            Siblings = Count(placed.Where(item => item.Owner == OwnerOf(pod))),
            Neighbours = Count(placed),
        };
    }

    /// <summary>The zones that pods of a namespace may run in; null: any.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Precondition"/>: the namespace's zones are not known yet.</exception>
    public IReadOnlyCollection<string>? ZonesOf(string space)
    {
        if (view.SupervisorNamespaces.Find("", space) is { } item)
        {
            return [.. item.Spec.Zones.Order(StringComparer.Ordinal)];
        }

        return view.Namespaces.Find("", space) is null
            ? null
            : throw new SupervisorException(SupervisorFault.Precondition, $"The Namespace {space} is the Supervisor's ({NamespaceMarks.Owner}), but its SupervisorNamespace is not seen yet.");
    }

    /// <summary>Keeps a place for a pod.</summary>
    public void Reserve(V1Pod pod, string host) => _reserved[pod.Metadata.Uid] =
        new Reservation(pod.Metadata.NamespaceProperty, OwnerOf(pod), host, PodRequest.Of(pod), time.GetUtcNow() + s_reserved);

    /// <summary>The place is that of the binding, wherever it was thought to be.</summary>
    public void Move(string uid, string host)
    {
        if (_reserved.TryGetValue(uid, out Reservation? place))
        {
            _reserved[uid] = place with { Host = host, Until = time.GetUtcNow() + s_reserved };
        }
    }

    /// <summary>Gives a place back.</summary>
    public void Release(string uid) => _reserved.TryRemove(uid, out _);

    private Dictionary<string, List<(string Uid, string Space, string? Owner, PodRequest Request)>> ByHost(string except)
    {
        Dictionary<string, List<(string, string, string?, PodRequest)>> byHost = new(StringComparer.Ordinal);
        HashSet<string> seen = new(StringComparer.Ordinal) { except };
        foreach (V1Pod pod in view.Pods.All)
        {
            if (ClusterView.Ended(pod))
            {
                seen.Add(pod.Metadata.Uid);
            }
            else if (!string.IsNullOrEmpty(pod.Spec.NodeName) && seen.Add(pod.Metadata.Uid))
            {
                Put(pod.Spec.NodeName, (pod.Metadata.Uid, pod.Metadata.NamespaceProperty, OwnerOf(pod), PodRequest.Of(pod)));
            }
        }

        DateTimeOffset now = time.GetUtcNow();
        foreach ((string uid, Reservation place) in _reserved)
        {
            if (place.Until < now)
            {
                _reserved.TryRemove(uid, out _);
            }
            else if (seen.Add(uid))
            {
                Put(place.Host, (uid, place.Space, place.Owner, place.Request));
            }
        }

        return byHost;

        void Put(string host, (string, string, string?, PodRequest) item)
        {
            if (!byHost.TryGetValue(host, out List<(string, string, string?, PodRequest)>? list))
            {
                byHost[host] = list = [];
            }

            list.Add(item);
        }
    }

    private HostFacts Facts(V1Pod pod, V1Node node, List<(string Uid, string Space, string? Owner, PodRequest Request)> pods)
    {
        PodOverhead overhead = HostPlan.OverheadOf(node);

        // The default is what pods declare anyway; only a measurement says that a pod costs more than it declares.
        bool measured = overhead.Source == "Measured";
        long millis = measured ? PodRequest.Millis(overhead.Cpu) : 0;
        long bytes = measured ? PodRequest.Units(overhead.Memory) : 0;
        string? zone = ClusterView.ZoneOf(node);
        IDictionary<string, ResourceQuantity> can = node.Status?.Allocatable ?? new Dictionary<string, ResourceQuantity>();
        return new HostFacts
        {
            Name = node.Metadata.Name,
            Zone = zone,
            ZoneTakesPods = zone is null || ZonePlan.TakesPods(view.AvailabilityZones.Find("", zone)?.Spec.Purpose),
            InService = view.Hosts.Find("", node.Metadata.Name)?.Spec.MaintenanceMode != true,
            AllocatableMillis = PodRequest.Millis(can.TryGetValue("cpu", out ResourceQuantity? cpu) ? cpu : null),
            AllocatableBytes = PodRequest.Units(can.TryGetValue("memory", out ResourceQuantity? memory) ? memory : null),
            UsedMillis = pods.Sum(item => item.Request.CpuMillis + Math.Max(0, millis - item.Request.OverheadMillis)),
            UsedBytes = pods.Sum(item => item.Request.MemoryBytes + Math.Max(0, bytes - item.Request.OverheadBytes)),
            OverheadMillis = millis,
            OverheadBytes = bytes,
            SchedulerHint = SchedulerHint.Of(pod, node, (pods.Sum(item => item.Request.CpuMillis), pods.Sum(item => item.Request.MemoryBytes)), pods.Count),
        };
    }

    private static string? OwnerOf(V1Pod pod) => pod.Metadata.OwnerReferences?.FirstOrDefault(owner => owner.Controller == true)?.Uid;

    private static Dictionary<string, int> Count(IEnumerable<(string Space, string? Owner, string Zone)> placed) =>
        placed.GroupBy(item => item.Zone).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
}
