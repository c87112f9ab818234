using System.Text.Json.Nodes;
using Vks.Supervisor.Kubernetes;
using Vks.Supervisor.Zones;

namespace Vks.Supervisor.Placement;

/// <summary>
/// What is asked of pods in the Supervisor's namespaces as they are made and bound. It holds for every scheduler and for pods that name their node
/// themselves: the API server itself refuses what is outside of the namespace's zones.
/// </summary>
internal sealed class PodAdmission(ClusterView view, PlacementBook book)
{
    /// <summary>Every pod has a RuntimeClass, so that quotas and schedulers count what its machine costs.</summary>
    public static JsonObject Default(AdmissionRequest request) =>
        request.Object["spec"]?["runtimeClassName"] is null
            ? request.Allow(new JsonObject { ["op"] = "add", ["path"] = "/spec/runtimeClassName", ["value"] = OverheadController.Crx })
            : request.Allow();

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
