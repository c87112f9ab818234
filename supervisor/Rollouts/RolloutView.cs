namespace Vks.Supervisor.Rollouts;

/// <summary>All that a rolling replacement decides by.</summary>
/// <param name="Next">The number of the next member's name.</param>
/// <param name="Members">Members of the book.</param>
/// <param name="Etcd">etcd's members.</param>
/// <param name="Settled">Whether members' settings files name the members that there are.</param>
internal sealed record RolloutView(int Next, IReadOnlyList<MemberView> Members, EtcdView Etcd, bool Settled);
