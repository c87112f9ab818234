using System.Text.Json;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Vks.Supervisor.Etcd;

namespace Vks.Supervisor.FloatingAddress;

/// <summary>The record of the floating address in etcd. Beside Kubernetes' objects, so no API server is needed.</summary>
/// <param name="etcd">This member's etcd.</param>
/// <param name="cluster">The control plane's name.</param>
/// <param name="time">The clock.</param>
internal sealed class ClaimStore(EtcdConnection etcd, string cluster, TimeProvider time)
{
    private readonly ByteString _key = ByteString.CopyFromUtf8($"/supervisor.vks.dev/{cluster}/floating-address");

    /// <summary>Reads the record as the majority of members has it.</summary>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Its revision, 0 when there is none; and what it says.</returns>
    /// <exception cref="RpcException">etcd has no majority, or does not answer within <see cref="ClaimTiming.Answer"/>.</exception>
    /// <exception cref="JsonException">Somebody else's text stands there.</exception>
    public async Task<(long Revision, AddressRecord? Record)> ReadAsync(CancellationToken cancellationToken)
    {
        RangeResponse answer = await etcd.Kv.RangeAsync(new RangeRequest { Key = _key }, deadline: Deadline(), cancellationToken: cancellationToken);
        return answer.Kvs.Count == 0 ? (0, null) : (answer.Kvs[0].ModRevision, AddressRecord.From(answer.Kvs[0].Value.Span));
    }

    /// <summary>Writes the record, if nobody wrote it since a revision.</summary>
    /// <param name="revision">The revision that the record must have still; 0 when there must be none.</param>
    /// <param name="record">What to write.</param>
    /// <param name="cancellationToken">Ends the waiting; the write may happen nevertheless.</param>
    /// <returns>The new revision, or null when somebody else wrote.</returns>
    /// <exception cref="RpcException">No answer: whether it was written is unknown.</exception>
    public async Task<long?> TryWriteAsync(long revision, AddressRecord record, CancellationToken cancellationToken)
    {
        TxnRequest request = new();
        request.Compare.Add(new Compare { Key = _key, Target = Compare.Types.CompareTarget.Mod, Result = Compare.Types.CompareResult.Equal, ModRevision = revision });
        request.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = _key, Value = ByteString.CopyFrom(record.ToBytes()) } });
        TxnResponse answer = await etcd.Kv.TxnAsync(request, deadline: Deadline(), cancellationToken: cancellationToken);
        return answer.Succeeded ? answer.Header.Revision : null;
    }

    private DateTime Deadline() => (time.GetUtcNow() + ClaimTiming.Answer).UtcDateTime;
}
