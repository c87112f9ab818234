using Grpc.Core;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.ImageStatusResponse> ImageStatus(V1.ImageStatusRequest request, ServerCallContext context)
    {
        ImageSummary? image = await store.FindAsync(ImageConversion.Reference(request.Image), context.CancellationToken);
        var response = new V1.ImageStatusResponse();
        if (image is not null)
        {
            response.Image = ImageConversion.Write(image);
            if (request.Verbose)
            {
                response.Info.Add(image.Details.ToDictionary());
            }
        }

        return response;
    }
}
