using System.Net;
using System.Text.Json.Serialization;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.ControlPlane;

/// <summary>A member as it stands in the <see cref="MemberBook"/>.</summary>
internal sealed record BookedMember
{
    /// <summary>Its name; never given to another.</summary>
    public required string Name { get; init; }

    /// <summary>The host it is on, and how that is reached.</summary>
    public required HostSettings Host { get; init; }

    /// <summary>Its management address.</summary>
    public required string Address { get; init; }

    /// <summary>Its settings file on the host.</summary>
    public required string File { get; init; }

    /// <summary>What it was told, as far as all members are told the same: <see cref="ControlPlanePlan.Shared"/>.</summary>
    public required string Settings { get; init; }

    /// <summary>Where it stands.</summary>
    public required MemberPhase Phase { get; init; }

    /// <summary>The address as such.</summary>
    [JsonIgnore]
    public IPAddress Ip => IPAddress.Parse(Address);

    /// <summary>As a plan has it.</summary>
    [JsonIgnore]
    public PlannedMember Planned => new(Name, Host, Ip);
}
