namespace Vks.Supervisor.Placement;

/// <summary>What kube-scheduler sends to an extender's bind verb.</summary>
internal sealed record ExtenderBindingArgs
{
    /// <summary>The pod's name.</summary>
    public string PodName { get; init; } = "";

    /// <summary>The pod's namespace.</summary>
    public string PodNamespace { get; init; } = "";

    /// <summary>The pod's uid.</summary>
    public string PodUID { get; init; } = "";

    /// <summary>The host that was chosen.</summary>
    public string Node { get; init; } = "";
}
