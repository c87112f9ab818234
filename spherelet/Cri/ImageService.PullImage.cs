using Grpc.Core;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.PullImageResponse> PullImage(V1.PullImageRequest request, ServerCallContext context)
    {
        ImagePullRequest pull = new() { Reference = ImageConversion.Reference(request.Image), Credentials = ImageConversion.Credentials(request.Auth) };
        ImageConversion.CheckHandler(request.Image);
        return new V1.PullImageResponse { ImageRef = await store.PullAsync(pull, context.CancellationToken) };
    }
}
