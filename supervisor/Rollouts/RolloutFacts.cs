using System.Net;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.Rollouts;

/// <summary>What is judged before a rolling replacement changes anything.</summary>
internal sealed record RolloutFacts
{
    /// <summary>What is wanted.</summary>
    public required ControlPlaneSettings Settings { get; init; }

    /// <summary>What is there.</summary>
    public required RolloutView View { get; init; }

    /// <summary>What would be done first.</summary>
    public required RolloutStep First { get; init; }

    /// <summary>What members say of themselves; those that do not run are left out.</summary>
    public required IReadOnlyDictionary<string, MemberState> States { get; init; }

    /// <summary>What the hosts of the file say.</summary>
    public required IReadOnlyDictionary<string, AskedHost> Hosts { get; init; }

    /// <summary>Versions of nodes' kubelets, by name; null when the API server does not tell.</summary>
    public required IReadOnlyDictionary<string, string>? Kubelets { get; init; }

    /// <summary>Addresses that new members may get, and what to call them.</summary>
    public required IReadOnlyDictionary<IPAddress, string> Free { get; init; }
}
