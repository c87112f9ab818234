namespace Vks.Supervisor.Placement;

/// <summary>Answer to the filter verb.</summary>
internal sealed record ExtenderFilterResult
{
    /// <summary>Hosts that are left.</summary>
    public IReadOnlyList<string> NodeNames { get; init; } = [];

    /// <summary>Hosts that were taken out, each with the reason; evicting other pods may help.</summary>
    public IReadOnlyDictionary<string, string> FailedNodes { get; init; } = new Dictionary<string, string>();

    /// <summary>Hosts that were taken out and that no eviction makes fit. Known from 1.21 on.</summary>
    public IReadOnlyDictionary<string, string> FailedAndUnresolvableNodes { get; init; } = new Dictionary<string, string>();

    /// <summary>Why there is no answer; empty for an answer.</summary>
    public string Error { get; init; } = "";
}
