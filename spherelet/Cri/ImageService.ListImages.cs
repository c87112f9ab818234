using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.ListImagesResponse> ListImages(V1.ListImagesRequest request, ServerCallContext context) =>
        new() { Images = { await ImagesMatchingAsync(request.Filter, context.CancellationToken) } };

    /// <inheritdoc/>
    public override async Task StreamImages(
        V1.StreamImagesRequest request, IServerStreamWriter<V1.StreamImagesResponse> responseStream, ServerCallContext context)
    {
        foreach (IReadOnlyList<V1.Image> piece in Pieces.Of(await ImagesMatchingAsync(request.Filter, context.CancellationToken)))
        {
            await responseStream.WriteAsync(new V1.StreamImagesResponse { Images = { piece } }, context.CancellationToken);
        }
    }

    private async Task<IEnumerable<V1.Image>> ImagesMatchingAsync(V1.ImageFilter? filter, CancellationToken cancellationToken) =>
        (await store.ListAsync(filter?.Image?.Image ?? "", cancellationToken)).Select(ImageConversion.Write);
}
