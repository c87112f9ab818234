using Grpc.Core;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.ImageFsInfoResponse> ImageFsInfo(V1.ImageFsInfoRequest request, ServerCallContext context)
    {
        ImageStoreUsage usage = await store.GetUsageAsync(context.CancellationToken);
        var entry = new V1.FilesystemUsage
        {
            Timestamp = UnixTime.Nanoseconds(time.GetUtcNow()),
            FsId = new V1.FilesystemIdentifier { Mountpoint = usage.Directory },
            UsedBytes = new V1.UInt64Value { Value = (ulong)usage.UsedBytes },
            InodesUsed = new V1.UInt64Value { Value = (ulong)usage.UsedInodes },
        };

        // The kubelet wants both; writable layers live on scratch disks beside the images.
        return new V1.ImageFsInfoResponse { ImageFilesystems = { entry }, ContainerFilesystems = { entry.Clone() } };
    }
}
