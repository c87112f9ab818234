using System.Net;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.ControlPlane;

/// <summary>A member as it is to be.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Host">The host it is put on.</param>
/// <param name="Address">Its management address.</param>
internal sealed record PlannedMember(string Name, HostSettings Host, IPAddress Address)
{
    /// <summary>As the others know it.</summary>
    public MemberPeer Peer => new(Name, Address);
}
