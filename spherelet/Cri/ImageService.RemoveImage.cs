using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.RemoveImageResponse> RemoveImage(V1.RemoveImageRequest request, ServerCallContext context)
    {
        await store.RemoveAsync(ImageConversion.Reference(request.Image), context.CancellationToken);
        return new V1.RemoveImageResponse();
    }
}
