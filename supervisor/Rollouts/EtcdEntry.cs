using System.Net;

namespace Vks.Supervisor.Rollouts;

/// <summary>A member as etcd has it.</summary>
/// <param name="Id">etcd's number for it.</param>
/// <param name="Address">Where its peers find it. Its name is empty until it has started once, so members are told apart by this.</param>
/// <param name="IsLearner">It has no vote yet.</param>
internal sealed record EtcdEntry(ulong Id, IPAddress Address, bool IsLearner);
