using System.Text.Json.Nodes;
using k8s;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Placement;

/// <summary>
/// What is asked of pods in the Supervisor's namespaces as they are made and bound. It holds for every scheduler and for pods that name their node
/// themselves: the API server itself refuses what is outside of the namespace's zones.
/// </summary>
internal sealed class PodAdmission(ClusterView view, PlacementBook book)
{
    /// <summary>Every pod has a RuntimeClass with its overhead, so that quotas and schedulers count what its machine costs.</summary>
    public JsonObject Default(AdmissionRequest request)
    {
        JsonNode? spec = request.Object["spec"];
        if (spec?["runtimeClassName"] is not null)
        {
            return request.Allow();
        }

        List<JsonNode> patch = [new JsonObject { ["op"] = "add", ["path"] = "/spec/runtimeClassName", ["value"] = OverheadController.Crx }];
        if (spec?["overhead"] is null && view.RuntimeClasses.Find("", OverheadController.Crx)?.Overhead?.PodFixed is { } overhead)
        {
            // The API server's own plugin, which would write it, has had its turn.
            patch.Add(new JsonObject { ["op"] = "add", ["path"] = "/spec/overhead", ["value"] = JsonNode.Parse(KubernetesJson.Serialize(overhead)) });
        }

        return request.Allow([.. patch]);
    }

    /// <summary>No pod begins on a host outside of its namespace's zones.</summary>
    public JsonObject Check(AdmissionRequest request)
    {
        string? node = (string?)(request.Part == "binding" ? request.Object["target"]?["name"] : request.Object["spec"]?["nodeName"]);
        if (string.IsNullOrEmpty(node))
        {
            return request.Allow();
        }

        try
        {
            IReadOnlyCollection<string>? zones = book.ZonesOf(request.Space);
            string? zone = view.ZoneOf(node);
            return zones is null || (zone is not null && zones.Contains(zone))
                ? request.Allow()
                : request.Refuse($"the node {node} is in {(zone is null ? "no zone" : $"zone {zone}")}; pods of {request.Space} run in {string.Join(", ", zones)}");
        }
        catch (SupervisorException notYet)
        {
            return request.Refuse(notYet.Message);
        }
    }
}
