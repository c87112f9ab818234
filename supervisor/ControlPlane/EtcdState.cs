namespace Vks.Supervisor.ControlPlane;

/// <summary>How a member's etcd is.</summary>
/// <param name="Serves">It answers as one of a majority.</param>
/// <param name="IsLeader">It leads the others.</param>
/// <param name="Version">Its version.</param>
/// <param name="DatabaseBytes">Size of its data.</param>
/// <param name="Problem">What it complains of, <c>NOSPACE</c> for one; or why it does not answer; or empty.</param>
/// <param name="Members">Names of all members of its cluster; empty before it answered.</param>
internal sealed record EtcdState(bool Serves, bool IsLeader, string Version, long DatabaseBytes, string Problem, IReadOnlyList<string> Members)
{
    /// <summary>No other member has a vote, so none can serve the API or take the floating address. Those that are only joining may be there.</summary>
    public bool IsOnlyVoter { get; init; }
}
