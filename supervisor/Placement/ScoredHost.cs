namespace Vks.Supervisor.Placement;

/// <summary>A host that a pod may run on.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Zone">Its zone.</param>
/// <param name="Siblings">Pods of the same owner in that zone already.</param>
/// <param name="Spread">0 to 6: 6 in the zone that has the fewest.</param>
/// <param name="Room">0 to 4: how much of the host stays free.</param>
internal sealed record ScoredHost(string Host, string? Zone, int Siblings, int Spread, int Room)
{
    /// <summary>0 to 10, as kube-scheduler takes it.</summary>
    public int Score => Spread + Room;
}
