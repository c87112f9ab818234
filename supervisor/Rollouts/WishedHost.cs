using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.Rollouts;

/// <summary>A host that members may be put on.</summary>
/// <param name="Host">The host.</param>
/// <param name="TakesSeveral">Whether several members may be on it at once.</param>
internal sealed record WishedHost(HostSettings Host, bool TakesSeveral);
