using System.Net;

namespace Vks.Supervisor.Rollouts;

/// <summary>What members there are to be.</summary>
/// <param name="Cluster">The control plane's name: members' names begin with it.</param>
/// <param name="Replicas">How many: 1 or 3.</param>
/// <param name="Hosts">Where they may be, in order of preference.</param>
/// <param name="OneInEachZone">Whether no zone may have two once all is done: three zones.</param>
/// <param name="Places">The four addresses that members may have: three, and the patch address.</param>
internal sealed record RolloutWish(string Cluster, int Replicas, IReadOnlyList<WishedHost> Hosts, bool OneInEachZone, IReadOnlyList<IPAddress> Places)
{
    /// <summary>The address of a member that is to take another's place.</summary>
    public IPAddress Patch => Places[^1];
}
