using Grpc.Core;
using Vks.Spherelet.Images;

namespace Vks.Spherelet.Cri;

internal sealed partial class ImageService
{
    /// <inheritdoc/>
    public override async Task<V1.PullImageResponse> PullImage(V1.PullImageRequest request, ServerCallContext context) => new()
    {
        ImageRef = await store.PullAsync(
            new ImagePullRequest { Reference = ImageConversion.Reference(request.Image), Credentials = ImageConversion.Credentials(request.Auth) },
            context.CancellationToken),
    };
}
