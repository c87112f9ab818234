namespace Vks.Supervisor.Rollouts;

/// <summary>etcd's members, and what stands in it about them.</summary>
/// <param name="Members">All members.</param>
/// <param name="Leader">The number of the one that leads; 0 when none does.</param>
/// <param name="Told">Names of members that were told to leave.</param>
/// <param name="Holder">The member that has the floating address by its record, or null.</param>
internal sealed record EtcdView(IReadOnlyList<EtcdEntry> Members, ulong Leader, IReadOnlySet<string> Told, string? Holder);
