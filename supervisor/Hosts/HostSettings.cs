namespace Vks.Supervisor.Hosts;

/// <summary>A host that members may be put on.</summary>
/// <param name="Name">Its name, a DNS label.</param>
/// <param name="Zone">The zone it belongs to.</param>
/// <param name="Reach">The command that runs programs there, such as <c>ssh root@host</c>.</param>
internal sealed record HostSettings(string Name, string Zone, IReadOnlyList<string> Reach);
