using k8s.Models;

namespace Vks.Supervisor.Supervisors;

/// <summary>How a control plane is.</summary>
internal sealed class SupervisorStatus
{
    /// <summary>Generation of the spec that this was computed from.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary><c>Configuring</c>, <c>Running</c> or <c>Error</c>.</summary>
    public string? Phase { get; set; }

    /// <summary>As <c>3/3</c>: those that serve the API, of those that are wanted.</summary>
    public string? ReadyMembers { get; set; }

    /// <summary>The version of Kubernetes that all members run at least.</summary>
    public string? Version { get; set; }

    /// <summary>URL of the API server on the floating address.</summary>
    public string? Endpoint { get; set; }

    /// <summary>The address for a member that is being replaced.</summary>
    public string? PatchAddress { get; set; }

    /// <summary>Who has the floating address.</summary>
    public FloatingAddressStatus? FloatingAddress { get; set; }

    /// <summary>The members.</summary>
    public IList<MemberStatus>? Members { get; set; }

    /// <summary>What holds.</summary>
    public IList<V1Condition>? Conditions { get; set; }
}
