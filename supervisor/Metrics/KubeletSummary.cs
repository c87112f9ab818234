using System.Text.Json;

namespace Vks.Supervisor.Metrics;

/// <summary>Reads what a kubelet answers at <c>/stats/summary</c>. Pure.</summary>
/// <remarks>The names are those of k8s.io/kubelet/pkg/apis/stats/v1alpha1; figures that are not there yet are left out, never zero.</remarks>
internal static class KubeletSummary
{
    /// <summary>Reads an answer.</summary>
    /// <exception cref="JsonException">It is no JSON, or not of this shape.</exception>
    public static NodeUse Read(Stream answer)
    {
        using JsonDocument document = JsonDocument.Parse(answer);
        try
        {
            JsonElement root = document.RootElement;
            return new NodeUse(
                root.TryGetProperty("node", out JsonElement node) ? Use(node) : null,
                [.. Items(root, "pods").Select(Pod).Where(static pod => pod.Containers.Count > 0)]);
        }
        catch (Exception fault) when (fault is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new JsonException($"The kubelet's summary is not as expected: {fault.Message}", fault);
        }
    }

    private static PodUse Pod(JsonElement pod)
    {
        JsonElement reference = pod.GetProperty("podRef");
        Dictionary<string, ResourceUse> containers = new(StringComparer.Ordinal);
        foreach (JsonElement container in Items(pod, "containers"))
        {
            if (Use(container) is { } use)
            {
                containers[container.GetProperty("name").GetString()!] = use;
            }
        }

        return new PodUse(reference.GetProperty("namespace").GetString()!, reference.GetProperty("name").GetString()!, containers);
    }

    private static ResourceUse? Use(JsonElement subject) =>
        subject.TryGetProperty("cpu", out JsonElement cpu) && subject.TryGetProperty("memory", out JsonElement memory)
        && cpu.TryGetProperty("usageNanoCores", out JsonElement cores) && memory.TryGetProperty("workingSetBytes", out JsonElement bytes)
            ? new ResourceUse(cpu.GetProperty("time").GetDateTimeOffset(), cores.GetUInt64(), bytes.GetUInt64())
            : null;

    private static JsonElement.ArrayEnumerator Items(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : default;
}
