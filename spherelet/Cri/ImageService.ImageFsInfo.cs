using Grpc.Core;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.ImageFsInfoResponse> ImageFsInfo(V1.ImageFsInfoRequest request, ServerCallContext context)
    {
        ImageStoreUsage images = await store.GetUsageAsync(context.CancellationToken);
        ScratchUsage layers = await writable.MeasureAsync(context.CancellationToken);
        return new V1.ImageFsInfoResponse
        {
            ImageFilesystems = { Usage(images.Directory, images.UsedBytes, images.UsedInodes) },
            ContainerFilesystems = { Usage(writable.Directory, layers.UsedBytes, layers.UsedInodes) },
        };
    }

    private V1.FilesystemUsage Usage(string directory, long bytes, long inodes) => new()
    {
        Timestamp = UnixTime.Nanoseconds(time.GetUtcNow()),
        FsId = new V1.FilesystemIdentifier { Mountpoint = directory },
        UsedBytes = new V1.UInt64Value { Value = (ulong)bytes },
        InodesUsed = new V1.UInt64Value { Value = (ulong)inodes },
    };
}
