using System.Net;
using Vks.Supervisor.Hosts;

namespace Vks.Supervisor.Rollouts;

/// <summary>The next thing to do in a rolling replacement. Each may be done twice without harm: whoever is killed after one does it again.</summary>
/// <param name="Member">The member it is about; empty when about none.</param>
internal abstract record RolloutStep(string Member)
{
    /// <summary>Write a new member into the book.</summary>
    /// <param name="Member">Its name.</param>
    /// <param name="Host">Its host.</param>
    /// <param name="Address">Its address.</param>
    /// <param name="InPlaceOf">The member that is to leave for it; empty for one that comes in addition.</param>
    internal sealed record Reserve(string Member, HostSettings Host, IPAddress Address, string InPlaceOf) : RolloutStep(Member);

    /// <summary>Let etcd know it, as a learner.</summary>
    internal sealed record AddLearner(string Member) : RolloutStep(Member);

    /// <summary>Bring its files, and start it.</summary>
    internal sealed record Start(string Member) : RolloutStep(Member);

    /// <summary>Give it a vote, if it has caught up.</summary>
    internal sealed record Promote(string Member, ulong Id) : RolloutStep(Member);

    /// <summary>Wait until it serves the API.</summary>
    internal sealed record AwaitReady(string Member) : RolloutStep(Member);

    /// <summary>Write into the book that it is one of those that serve.</summary>
    internal sealed record Admit(string Member) : RolloutStep(Member);

    /// <summary>Write into the book that it leaves.</summary>
    internal sealed record Retire(string Member) : RolloutStep(Member);

    /// <summary>Tell it, in etcd, that it is to leave: it gives the floating address up and ends its API server.</summary>
    internal sealed record Tell(string Member) : RolloutStep(Member);

    /// <summary>Wait until it has.</summary>
    internal sealed record AwaitQuiet(string Member) : RolloutStep(Member);

    /// <summary>Let another lead etcd.</summary>
    internal sealed record MoveLeader(string Member, ulong To) : RolloutStep(Member);

    /// <summary>Take it out of etcd.</summary>
    internal sealed record RemoveFromEtcd(string Member, ulong Id) : RolloutStep(Member);

    /// <summary>End its process.</summary>
    internal sealed record Stop(string Member) : RolloutStep(Member);

    /// <summary>Remove its files, and take it out of the book.</summary>
    internal sealed record Forget(string Member) : RolloutStep(Member);

    /// <summary>Take it out of the book without its host, which is gone.</summary>
    internal sealed record Abandon(string Member) : RolloutStep(Member);

    /// <summary>Bring all members settings files that name all members.</summary>
    internal sealed record Settle() : RolloutStep("");

    /// <summary>Nothing is left to do.</summary>
    internal sealed record Done() : RolloutStep("");

    /// <summary>Nothing can be done as things are.</summary>
    /// <param name="Why">What is in the way, and what to do about it.</param>
    internal sealed record Blocked(string Why) : RolloutStep("");
}
