using System.Text.Json;

namespace Vks.Supervisor.Placement;

/// <summary>What kube-scheduler sends to an extender's filter and prioritize verbs. Members are named as upstream's Go types, which carry no JSON names.</summary>
internal sealed record ExtenderArgs
{
    /// <summary>The pod.</summary>
    public JsonElement Pod { get; init; }

    /// <summary>Names of the hosts that are left, since we say that we know the nodes ourselves.</summary>
    public IReadOnlyList<string>? NodeNames { get; init; }
}
