using Grpc.Core;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.ListImagesResponse> ListImages(V1.ListImagesRequest request, ServerCallContext context)
    {
        string wanted = request.Filter?.Image?.Image ?? "";
        IReadOnlyList<ImageSummary> images = wanted.Length == 0
            ? await store.ListAsync(context.CancellationToken)
            : await store.FindAsync(wanted, context.CancellationToken) is { } image ? [image] : [];
        return new V1.ListImagesResponse { Images = { images.Select(ImageConversion.Write) } };
    }
}
