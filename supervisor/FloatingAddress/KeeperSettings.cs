using System.Net;

namespace Vks.Supervisor.FloatingAddress;

/// <summary>Whose floating address, where and which.</summary>
/// <param name="Member">This member.</param>
/// <param name="Link">The link of the management network.</param>
/// <param name="Address">The floating address.</param>
internal sealed record KeeperSettings(string Member, string Link, IPAddress Address);
