using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Supervisor.Placement;

/// <summary>A decision as it is written on the pod.</summary>
internal sealed record PlacementRecord
{
    /// <summary>Annotation of pods that has it, as JSON.</summary>
    public const string Annotation = "supervisor.vks.dev/placement";

    /// <summary>Annotations of an object are limited to 256 KiB together; a cluster of thousands of hosts does not fit.</summary>
    private const int MostHosts = 200;

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The host that the pod was bound to; null while none may take it.</summary>
    public string? Host { get; init; }

    /// <summary>Its zone.</summary>
    public string? Zone { get; init; }

    /// <summary>The zones of the namespace; null: anywhere.</summary>
    public IReadOnlyCollection<string>? Zones { get; init; }

    /// <summary>Thousandths of a CPU that the pod asks for, overhead included.</summary>
    public long CpuMillis { get; init; }

    /// <summary>Bytes that the pod asks for, overhead included.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Hosts it may run on, the best first.</summary>
    public IReadOnlyList<ScoredHost> Candidates { get; init; } = [];

    /// <summary>Hosts it may not run on.</summary>
    public IReadOnlyList<RemovedHost> Removed { get; init; } = [];

    /// <summary>How many hosts were left out of the lists for size.</summary>
    public int? LeftOut { get; init; }

    /// <summary>The record of a decision.</summary>
    public static PlacementRecord Of(PlacementQuestion question, PlacementDecision decision)
    {
        int all = decision.Candidates.Count + decision.Removed.Count;
        ScoredHost[] candidates = [.. decision.Candidates.Take(MostHosts)];
        RemovedHost[] removed = [.. decision.Removed.Take(MostHosts)];
        int left = all - candidates.Length - removed.Length;
        return new PlacementRecord
        {
            Zones = question.Zones, CpuMillis = question.Request.CpuMillis, MemoryBytes = question.Request.MemoryBytes,
            Candidates = candidates, Removed = removed, LeftOut = left == 0 ? null : left,
        };
    }

    /// <summary>As the annotation has it.</summary>
    public string Write() => JsonSerializer.Serialize(this, s_json);

    /// <summary>Reads an annotation; null when it is none of ours.</summary>
    public static PlacementRecord? Read(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<PlacementRecord>(text, s_json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
