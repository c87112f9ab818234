using System.Net;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Etcd;
using Vks.Supervisor.FloatingAddress;

namespace Vks.Supervisor.Rollouts;

/// <summary><see cref="IEtcdMembers"/> over the management network.</summary>
/// <param name="cluster">The control plane.</param>
/// <param name="pki">Folder with etcd's authority and a client's certificate.</param>
/// <param name="time">The clock.</param>
internal sealed class EtcdMembers(string cluster, string pki, TimeProvider time) : IEtcdMembers, IDisposable
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);

    private readonly Dictionary<IPAddress, EtcdConnection> _connections = [];
    private EtcdConnection? _through;

    /// <inheritdoc/>
    public async Task<EtcdView> LookAsync(IReadOnlyList<IPAddress> through, CancellationToken cancellationToken)
    {
        List<string> problems = [];
        foreach (IPAddress address in through)
        {
            EtcdConnection etcd = Connection(address);
            try
            {
                EtcdView view = await LookAsync(etcd, cancellationToken);
                _through = etcd;
                return view;
            }
            catch (RpcException problem) when (!cancellationToken.IsCancellationRequested)
            {
                problems.Add($"{address}: {problem.StatusCode} {problem.Status.Detail}");
            }
        }

        throw new SupervisorException(
            SupervisorFault.ControlPlane,
            $"etcd of {cluster} does not answer ({string.Join("; ", problems)}). Do: run this where the management network is reached (port {MemberSettings.EtcdPort} of members); look at members: supervisor rollout status");
    }

    /// <inheritdoc/>
    public Task<string?> AddLearnerAsync(IPAddress address, CancellationToken cancellationToken)
    {
        MemberAddRequest request = new() { IsLearner = true };
        request.PeerURLs.Add(MemberPrograms.PeerUrl(address));
        return TryAsync(async () => await Through.Cluster.MemberAddAsync(request, deadline: Deadline(), cancellationToken: cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<string?> PromoteAsync(ulong id, CancellationToken cancellationToken) =>
        TryAsync(async () => await Through.Cluster.MemberPromoteAsync(new MemberPromoteRequest { ID = id }, deadline: Deadline(), cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<string?> MoveLeaderAsync(IPAddress leader, ulong to, CancellationToken cancellationToken) =>
        TryAsync(async () => await Connection(leader).Maintenance.MoveLeaderAsync(new MoveLeaderRequest { TargetID = to }, deadline: Deadline(), cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<string?> RemoveAsync(ulong id, CancellationToken cancellationToken) =>
        TryAsync(async () => await Through.Cluster.MemberRemoveAsync(new MemberRemoveRequest { ID = id }, deadline: Deadline(), cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<string?> TellAsync(string name, CancellationToken cancellationToken) =>
        TryAsync(async () => await Through.Kv.PutAsync(new PutRequest { Key = KeyOf(name) }, deadline: Deadline(), cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<string?> ForgetAsync(string name, CancellationToken cancellationToken) =>
        TryAsync(async () => await Through.Kv.DeleteRangeAsync(new DeleteRangeRequest { Key = KeyOf(name) }, deadline: Deadline(), cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (EtcdConnection connection in _connections.Values)
        {
            connection.Dispose();
        }
    }

    private EtcdConnection Through => _through ?? throw new InvalidOperationException("look first: changes go through the member that answered");

    private async Task<EtcdView> LookAsync(EtcdConnection etcd, CancellationToken cancellationToken)
    {
        // First a read of what the majority has: a member that was cut off or taken out tells an old list for a true one.
        string prefix = ClaimStore.LeavingPrefix(cluster);
        TxnRequest request = new();
        request.Success.Add(new RequestOp { RequestRange = new RangeRequest { Key = ByteString.CopyFromUtf8(ClaimStore.Key(cluster)) } });
        request.Success.Add(new RequestOp { RequestRange = new RangeRequest { Key = ByteString.CopyFromUtf8(prefix), RangeEnd = ByteString.CopyFromUtf8(prefix[..^1] + (char)(prefix[^1] + 1)), KeysOnly = true } });
        TxnResponse found = await etcd.Kv.TxnAsync(request, deadline: Deadline(), cancellationToken: cancellationToken);
        MemberListResponse members = await etcd.Cluster.MemberListAsync(new MemberListRequest(), deadline: Deadline(), cancellationToken: cancellationToken);
        StatusResponse status = await etcd.Maintenance.StatusAsync(new StatusRequest(), deadline: Deadline(), cancellationToken: cancellationToken);
        AddressRecord? record = found.Responses[0].ResponseRange.Kvs.Select(static pair => AddressRecord.From(pair.Value.Span)).FirstOrDefault();
        return new EtcdView(
            [.. members.Members.Select(static member => new EtcdEntry(member.ID, IPAddress.Parse(new Uri(member.PeerURLs[0]).Host.Trim('[', ']')), member.IsLearner))],
            status.Leader,
            found.Responses[1].ResponseRange.Kvs.Select(pair => pair.Key.ToStringUtf8()[prefix.Length..]).ToHashSet(StringComparer.Ordinal),
            record is { Released: false } held ? held.Member : null);
    }

    private static async Task<string?> TryAsync(Func<Task> change, CancellationToken cancellationToken)
    {
        try
        {
            await change();
            return null;
        }
        catch (RpcException problem) when (!cancellationToken.IsCancellationRequested)
        {
            // What is as wished already is seen at the next look; what etcd refuses for now it takes later.
            return problem.StatusCode == StatusCode.NotFound ? null : $"etcd: {problem.StatusCode}: {problem.Status.Detail}";
        }
    }

    private ByteString KeyOf(string name) => ByteString.CopyFromUtf8(ClaimStore.LeavingPrefix(cluster) + name);

    private EtcdConnection Connection(IPAddress address)
    {
        if (!_connections.TryGetValue(address, out EtcdConnection? connection))
        {
            _connections[address] = connection = new EtcdConnection(address, MemberSettings.EtcdPort, pki);
        }

        return connection;
    }

    private DateTime Deadline() => (time.GetUtcNow() + s_answer).UtcDateTime;
}
