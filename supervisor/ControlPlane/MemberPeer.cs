using System.Net;

namespace Vks.Supervisor.ControlPlane;

/// <summary>One member as the others know it.</summary>
/// <param name="Name">Its name, a DNS label.</param>
/// <param name="Address">Its management address.</param>
internal sealed record MemberPeer(string Name, IPAddress Address);
