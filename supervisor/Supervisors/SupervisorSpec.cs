namespace Vks.Supervisor.Supervisors;

/// <summary>What a control plane is to be.</summary>
internal sealed class SupervisorSpec
{
    /// <summary>Its members.</summary>
    public MembersWanted ControlPlane { get; set; } = new();

    /// <summary>The zones that members are in, one member in each of three; null or empty: one zone without a name.</summary>
    public IList<string>? Zones { get; set; }

    /// <summary>Where the members' own addresses are.</summary>
    public ManagementNetwork ManagementNetwork { get; set; } = new();

    /// <summary>Where pods and Services are.</summary>
    public WorkloadNetwork? WorkloadNetwork { get; set; }
}
