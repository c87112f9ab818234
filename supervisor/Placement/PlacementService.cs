using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Namespaces;

namespace Vks.Supervisor.Placement;

/// <summary>
/// Answers kube-scheduler as its extender: which hosts a pod may run on beyond upstream's own rules, which it should, whom it may displace; and binds
/// it, since the binding is the one place where the choice is known and can be written on the pod together with its reasons.
/// </summary>
internal sealed partial class PlacementService(ClusterView view, PlacementBook book, ApiClient api, ILogger<PlacementService> logger)
{
    private readonly ConcurrentDictionary<string, PlacementRecord> _decided = [];

    /// <summary>Which of the hosts a pod may run on.</summary>
    public async Task<ExtenderFilterResult> FilterAsync(ExtenderArgs args, CancellationToken cancellationToken)
    {
        V1Pod pod = KubernetesJson.Deserialize<V1Pod>(args.Pod.GetRawText());
        try
        {
            PlacementQuestion question = book.Ask(pod, args.NodeNames ?? []);
            PlacementDecision decision = PlacementDecision.Of(question);
            PlacementRecord record = PlacementRecord.Of(question, decision);
            _decided[pod.Metadata.Uid] = record;
            if (decision.Candidates.Count > 0)
            {
                // kube-scheduler asks for no scores when one host is left.
                book.Reserve(pod, decision.Candidates[0].Host);
            }
            else
            {
                book.Release(pod.Metadata.Uid);
                await WriteRefusalAsync(pod, record, cancellationToken);
            }

            RemovedHost[] ours = [.. decision.Removed.Where(host => question.Candidates.Contains(host.Host))];
            return new ExtenderFilterResult
            {
                NodeNames = [.. decision.Candidates.Select(host => host.Host)],

                // All of them, since 1.20 reads only this list; newer ones let the other one have precedence.
                FailedNodes = ours.ToDictionary(host => host.Host, Reason),
                FailedAndUnresolvableNodes = ours.Where(host => host.Filter != PlacementDecision.CapacityFilter).ToDictionary(host => host.Host, Reason),
            };
        }
        catch (SupervisorException notYet)
        {
            return new ExtenderFilterResult { Error = notYet.Message };
        }
    }

    /// <summary>How well each of the hosts suits a pod.</summary>
    public IReadOnlyList<HostPriority> Prioritize(ExtenderArgs args)
    {
        V1Pod pod = KubernetesJson.Deserialize<V1Pod>(args.Pod.GetRawText());
        PlacementDecision decision = PlacementDecision.Of(book.Ask(pod, args.NodeNames ?? []));
        if (decision.Candidates.Count > 0)
        {
            book.Reserve(pod, decision.Candidates[0].Host);
        }

        return [.. decision.Candidates.Select(host => new HostPriority(host.Host, host.Score))];
    }

    /// <summary>On which hosts others may be evicted for a pod: nowhere outside of its zones.</summary>
    public ExtenderPreemption Preempt(ExtenderPreemption args)
    {
        IReadOnlyDictionary<string, System.Text.Json.JsonElement> victims = args.NodeNameToMetaVictims ?? new Dictionary<string, System.Text.Json.JsonElement>();
        V1Pod pod = KubernetesJson.Deserialize<V1Pod>(args.Pod!.Value.GetRawText());
        IReadOnlyCollection<string>? zones = book.ZonesOf(pod.Metadata.NamespaceProperty);
        return new ExtenderPreemption
        {
            NodeNameToMetaVictims = victims.Where(host => zones is null || (view.ZoneOf(host.Key) is { } zone && zones.Contains(zone))).ToDictionary(host => host.Key, host => host.Value),
        };
    }

    /// <summary>Binds a pod to its host, after a last look at the namespace's zones, and writes the decision on it.</summary>
    public async Task<ExtenderBindingResult> BindAsync(ExtenderBindingArgs args, CancellationToken cancellationToken)
    {
        try
        {
            // From the server, not from our copy: this is where zones are enforced.
            SupervisorNamespace? space = await api.FindAsync<SupervisorNamespace>(null, args.PodNamespace, cancellationToken);
            string? zone = view.ZoneOf(args.Node);
            if (space is not null && (zone is null || !space.Spec.Zones.Contains(zone)))
            {
                return new ExtenderBindingResult($"{args.Node} is in {zone ?? "no zone"}; the namespace has {string.Join(", ", space.Spec.Zones)}");
            }

            book.Move(args.PodUID, args.Node);
            PlacementRecord record = _decided.GetValueOrDefault(args.PodUID) ?? new PlacementRecord();
            JsonObject binding = new()
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Binding",
                ["metadata"] = new JsonObject
                {
                    ["name"] = args.PodName, ["namespace"] = args.PodNamespace, ["uid"] = args.PodUID,
                    ["annotations"] = new JsonObject { [PlacementRecord.Annotation] = (record with { Host = args.Node, Zone = zone }).Write() },
                },
                ["target"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = args.Node },
            };
            await api.SendAsync(HttpMethod.Post, ApiResource.For<V1Pod>().Path(args.PodNamespace, args.PodName, "binding"), binding, cancellationToken);
            _decided.TryRemove(args.PodUID, out _);
            Bound(args.PodNamespace, args.PodName, args.Node, zone ?? "no zone");
            return new ExtenderBindingResult("");
        }
        catch (ApiException problem)
        {
            book.Release(args.PodUID);
            return new ExtenderBindingResult(problem.Message);
        }
    }

    /// <summary>Forgets pods that are gone.</summary>
    public void Forget(V1Pod? before, V1Pod? after)
    {
        if (before is not null && after is null)
        {
            _decided.TryRemove(before.Metadata.Uid, out _);
            book.Release(before.Metadata.Uid);
        }
    }

    // A pod that nothing can take says so itself. Only when it is news: every change of the pod makes kube-scheduler try again at once.
    private async Task WriteRefusalAsync(V1Pod pod, PlacementRecord record, CancellationToken cancellationToken)
    {
        string text = record.Write();
        if (pod.Metadata.Annotations?.TryGetValue(PlacementRecord.Annotation, out string? known) == true && known == text)
        {
            return;
        }

        try
        {
            JsonObject patch = new() { ["metadata"] = new JsonObject { ["uid"] = pod.Metadata.Uid, ["annotations"] = new JsonObject { [PlacementRecord.Annotation] = text } } };
            await api.MergeAsync<V1Pod>(pod.Metadata.NamespaceProperty, pod.Metadata.Name, patch, cancellationToken);
        }
        catch (ApiException problem)
        {
            NotWritten(pod.Metadata.NamespaceProperty, pod.Metadata.Name, problem.Message);
        }
    }

    private static string Reason(RemovedHost host) => $"supervisor {host.Filter}: {host.Reason}";

    [LoggerMessage(4220, LogLevel.Information, "{Space}/{Pod} -> {Host} ({Zone})")]
    private partial void Bound(string space, string pod, string host, string zone);

    [LoggerMessage(4221, LogLevel.Warning, "Why no host takes {Space}/{Pod} was not written on it: {Problem}")]
    private partial void NotWritten(string space, string pod, string problem);
}
