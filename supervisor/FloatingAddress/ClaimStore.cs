using System.Text.Json;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Vks.Supervisor.Etcd;

namespace Vks.Supervisor.FloatingAddress;

/// <summary>The record of the floating address in etcd, and the word that a member is to leave. Beside Kubernetes' objects, so no API server is needed.</summary>
/// <param name="etcd">This member's etcd.</param>
/// <param name="cluster">The control plane's name.</param>
/// <param name="member">This member.</param>
/// <param name="time">The clock.</param>
internal sealed class ClaimStore(EtcdConnection etcd, string cluster, string member, TimeProvider time)
{
    private readonly ByteString _key = ByteString.CopyFromUtf8(Key(cluster));
    private readonly ByteString _leaving = ByteString.CopyFromUtf8(LeavingPrefix(cluster) + member);

    /// <summary>The key of the record.</summary>
    /// <param name="cluster">The control plane's name.</param>
    public static string Key(string cluster) => $"/supervisor.vks.dev/{cluster}/floating-address";

    /// <summary>What the keys of members that are to leave begin with; the member's name follows. Such a member gives the address up and never takes it again.</summary>
    /// <param name="cluster">The control plane's name.</param>
    public static string LeavingPrefix(string cluster) => $"/supervisor.vks.dev/{cluster}/leaving/";

    /// <summary>Reads the record as the majority of members has it.</summary>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Its revision, 0 when there is none; what it says; and whether this member is to leave.</returns>
    /// <exception cref="RpcException">etcd has no majority, or does not answer within <see cref="ClaimTiming.Answer"/>.</exception>
    /// <exception cref="JsonException">Somebody else's text stands there.</exception>
    public async Task<(long Revision, AddressRecord? Record, bool Leaving)> ReadAsync(CancellationToken cancellationToken)
    {
        TxnRequest request = new();
        request.Success.Add(new RequestOp { RequestRange = new RangeRequest { Key = _key } });
        request.Success.Add(AskLeaving());
        TxnResponse answer = await etcd.Kv.TxnAsync(request, deadline: Deadline(), cancellationToken: cancellationToken);
        RangeResponse found = answer.Responses[0].ResponseRange;
        return found.Kvs.Count == 0 ? (0, null, SaysLeaving(answer)) : (found.Kvs[0].ModRevision, AddressRecord.From(found.Kvs[0].Value.Span), SaysLeaving(answer));
    }

    /// <summary>Writes the record, if nobody wrote it since a revision.</summary>
    /// <param name="revision">The revision that the record must have still; 0 when there must be none.</param>
    /// <param name="record">What to write.</param>
    /// <param name="cancellationToken">Ends the waiting; the write may happen nevertheless.</param>
    /// <returns>The new revision, or null when somebody else wrote; and whether this member is to leave, as of this write.</returns>
    /// <exception cref="RpcException">No answer: whether it was written is unknown.</exception>
    public async Task<(long? Revision, bool Leaving)> TryWriteAsync(long revision, AddressRecord record, CancellationToken cancellationToken)
    {
        TxnRequest request = new();
        request.Compare.Add(new Compare { Key = _key, Target = Compare.Types.CompareTarget.Mod, Result = Compare.Types.CompareResult.Equal, ModRevision = revision });
        request.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = _key, Value = ByteString.CopyFrom(record.ToBytes()) } });
        request.Success.Add(AskLeaving());
        TxnResponse answer = await etcd.Kv.TxnAsync(request, deadline: Deadline(), cancellationToken: cancellationToken);
        return answer.Succeeded ? (answer.Header.Revision, SaysLeaving(answer)) : (null, false);
    }

    private RequestOp AskLeaving() => new() { RequestRange = new RangeRequest { Key = _leaving, CountOnly = true } };

    private static bool SaysLeaving(TxnResponse answer) => answer.Responses[1].ResponseRange.Count > 0;

    private DateTime Deadline() => (time.GetUtcNow() + ClaimTiming.Answer).UtcDateTime;
}
