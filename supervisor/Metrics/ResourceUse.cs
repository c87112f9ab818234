namespace Vks.Supervisor.Metrics;

/// <summary>What something uses.</summary>
/// <param name="Time">When it was measured.</param>
/// <param name="NanoCores">Processor time per second, in billionths of a CPU.</param>
/// <param name="WorkingSetBytes">Memory that cannot be taken back at once.</param>
internal readonly record struct ResourceUse(DateTimeOffset Time, ulong NanoCores, ulong WorkingSetBytes);

/// <summary>What a pod's containers use.</summary>
/// <param name="Namespace">The pod's namespace.</param>
/// <param name="Name">The pod's name.</param>
/// <param name="Containers">By container name; those without figures yet are left out.</param>
internal sealed record PodUse(string Namespace, string Name, IReadOnlyDictionary<string, ResourceUse> Containers);

/// <summary>What a node and its pods use, from one answer of its kubelet.</summary>
/// <param name="Node">The whole node; null when the kubelet had no figures yet.</param>
/// <param name="Pods">The pods with figures.</param>
internal sealed record NodeUse(ResourceUse? Node, IReadOnlyList<PodUse> Pods);
