using System.Net;
using Vks.Supervisor.ControlPlane;

namespace Vks.Supervisor.Rollouts;

/// <summary>A member as it was found.</summary>
internal sealed record MemberView
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The host it is on.</summary>
    public required string Host { get; init; }

    /// <summary>The zone of that host, as the settings have it now.</summary>
    public required string Zone { get; init; }

    /// <summary>Its address.</summary>
    public required IPAddress Address { get; init; }

    /// <summary>Where it stands in the book.</summary>
    public required MemberPhase Phase { get; init; }

    /// <summary>It was told what members are to be told, runs the wanted version, and is on a wanted host.</summary>
    public required bool IsWanted { get; init; }

    /// <summary>Its host is still one of the control plane's.</summary>
    public required bool HostIsWanted { get; init; }

    /// <summary>Its host answers.</summary>
    public required bool Reachable { get; init; }

    /// <summary>Its process runs.</summary>
    public required bool Runs { get; init; }

    /// <summary>Its etcd answers as one of a majority.</summary>
    public required bool EtcdServes { get; init; }

    /// <summary>It serves the API.</summary>
    public required bool Ready { get; init; }

    /// <summary>It has the floating address, or is the last that was known to have it.</summary>
    public required bool HasFloatingAddress { get; init; }
}
