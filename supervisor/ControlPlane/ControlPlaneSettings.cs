using System.Net;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.ControlPlane;

/// <summary>A whole control plane as its author wants it.</summary>
internal sealed record ControlPlaneSettings
{
    /// <summary>Its name: a DNS label.</summary>
    public required string Name { get; init; }

    /// <summary>Members: 1 or 3.</summary>
    public required int Replicas { get; init; }

    /// <summary>Size of each.</summary>
    public required MemberSize Size { get; init; }

    /// <summary>The first of five consecutive addresses: three members', the floating one, and one for a member that is being replaced.</summary>
    public required IPAddress FirstAddress { get; init; }

    /// <summary>Length of the management network's prefix, in bits.</summary>
    public required int Prefix { get; init; }

    /// <summary>The management link of all hosts.</summary>
    public required string Link { get; init; }

    /// <summary>Folder of a member's files on its host.</summary>
    public required string Directory { get; init; }

    /// <summary>Folder of Kubernetes' programs on the hosts.</summary>
    public required string Programs { get; init; }

    /// <summary>etcd on the hosts.</summary>
    public required string Etcd { get; init; }

    /// <summary>The Supervisor's program on the hosts.</summary>
    public required string Supervisor { get; init; }

    /// <summary>Addresses of Services.</summary>
    public required IPNetwork Services { get; init; }

    /// <summary>Addresses of pods, or null.</summary>
    public required IPNetwork? Pods { get; init; }

    /// <summary>Where the placement service of each member's host listens, on loopback; null: no Supervisor runs beside the members.</summary>
    public required IPEndPoint? Placement { get; init; }

    /// <summary>Features of Kubernetes to switch in all members, as <c>A=true,B=false</c>; empty for its own choice.</summary>
    public required string FeatureGates { get; init; }

    /// <summary>Names of the zones: one or three.</summary>
    public required IReadOnlyList<string> Zones { get; init; }

    /// <summary>All hosts.</summary>
    public required IReadOnlyList<HostSettings> Hosts { get; init; }

    /// <summary>The management network's gateway, or null. Machines of members have their default route by it.</summary>
    public IPAddress? Gateway { get; init; }

    /// <summary>How large the machine of a member is, where members are machines.</summary>
    public required MachineSize Machine { get; init; }

    /// <summary>The floating address.</summary>
    public IPAddress FloatingAddress => Configuration.AddressRanges.Next(FirstAddress, 3);

    /// <summary>The address of a member that is being replaced.</summary>
    public IPAddress PatchAddress => Configuration.AddressRanges.Next(FirstAddress, 4);
}
