using System.Net;

namespace Vks.Supervisor.Rollouts;

/// <summary>etcd's members, looked at and changed from outside. What changes them gives null when it was done, or was done already; else why not yet.</summary>
internal interface IEtcdMembers
{
    /// <summary>Asks who the members are, and what they were told.</summary>
    /// <param name="through">Addresses of members to ask, in this order, until one answers; changes go through the same.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.ControlPlane"/>: none answers.</exception>
    Task<EtcdView> LookAsync(IReadOnlyList<IPAddress> through, CancellationToken cancellationToken);

    /// <summary>Adds a member without a vote.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<string?> AddLearnerAsync(IPAddress address, CancellationToken cancellationToken);

    /// <summary>Gives a learner a vote; refused while it has not caught up.</summary>
    /// <param name="id">The learner.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<string?> PromoteAsync(ulong id, CancellationToken cancellationToken);

    /// <summary>Lets a voter lead.</summary>
    /// <param name="leader">Address of the one that leads now.</param>
    /// <param name="to">The voter.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<string?> MoveLeaderAsync(IPAddress leader, ulong to, CancellationToken cancellationToken);

    /// <summary>Takes a member out, for good.</summary>
    /// <param name="id">The member.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<string?> RemoveAsync(ulong id, CancellationToken cancellationToken);

    /// <summary>Tells a member to leave.</summary>
    /// <param name="name">The member.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<string?> TellAsync(string name, CancellationToken cancellationToken);

    /// <summary>Takes back what a member was told; it is no more.</summary>
    /// <param name="name">The member.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<string?> ForgetAsync(string name, CancellationToken cancellationToken);
}
