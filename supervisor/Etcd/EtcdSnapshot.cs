using Etcdserverpb;
using Grpc.Core;

namespace Vks.Supervisor.Etcd;

/// <summary>Takes a copy of all that etcd holds, over the network, while it goes on.</summary>
internal static class EtcdSnapshot
{
    /// <summary>Writes the copy to a file: the database, and its SHA-256 behind it, as <c>etcdctl snapshot restore</c> wants it.</summary>
    /// <param name="etcd">Any member's etcd.</param>
    /// <param name="file">Where to; it is there whole or not at all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.ControlPlane"/>: etcd does not answer, or stopped in the middle.</exception>
    public static async Task<long> TakeAsync(EtcdConnection etcd, string file, CancellationToken cancellationToken)
    {
        string beside = file + ".new";
        try
        {
            long bytes = 0;
            ulong left = ulong.MaxValue;
            await using (FileStream stream = new(beside, new FileStreamOptions
            {
                Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                using AsyncServerStreamingCall<SnapshotResponse> call = etcd.Maintenance.Snapshot(new SnapshotRequest(), cancellationToken: cancellationToken);
                await foreach (SnapshotResponse part in call.ResponseStream.ReadAllAsync(cancellationToken))
                {
                    await stream.WriteAsync(part.Blob.Memory, cancellationToken);
                    bytes += part.Blob.Length;
                    left = part.RemainingBytes;
                }

                stream.Flush(flushToDisk: true);
            }

            // The last part says that nothing is left and is the checksum; a copy without one is a piece.
            if (left != 0 || bytes % 512 != 32)
            {
                throw new SupervisorException(SupervisorFault.ControlPlane, $"etcd's copy ended after {bytes} bytes, in the middle. Do: take it again, from another member");
            }

            File.Move(beside, file, overwrite: true);
            return bytes;
        }
        catch (RpcException problem)
        {
            throw new SupervisorException(SupervisorFault.ControlPlane, $"taking a copy of etcd: {problem.StatusCode}: {problem.Status.Detail}. Do: supervisor member status", problem);
        }
        finally
        {
            File.Delete(beside);
        }
    }
}
