using System.Text.Json;

namespace Vks.Supervisor.Placement;

/// <summary>What kube-scheduler sends to an extender's preempt verb, and the answer, which has the same form without the pod.</summary>
internal sealed record ExtenderPreemption
{
    /// <summary>The pod that others would be evicted for.</summary>
    public JsonElement? Pod { get; init; }

    /// <summary>For each host, who would be evicted; passed on as it came.</summary>
    public IReadOnlyDictionary<string, JsonElement>? NodeNameToMetaVictims { get; init; }
}
