namespace Vks.Supervisor.FloatingAddress;

/// <summary>Whether the floating address may be with a member. Pure. It decides where the address is of use, never how many have it: that is <see cref="AddressClaim"/>'s.</summary>
internal static class HolderRule
{
    /// <summary>
    /// A member that serves the API may have it; and the only one with a vote in etcd also while its API server is slow or begins anew, for nobody else
    /// could take the address: clients then wait for an answer or are refused at once, where they would look for a neighbour that is not there.
    /// </summary>
    /// <param name="serves">The member serves the API.</param>
    /// <param name="isOnlyVoter">As far as it knows, no other member has a vote in etcd.</param>
    public static bool MayHold(bool serves, bool isOnlyVoter) => serves || isOnlyVoter;
}
