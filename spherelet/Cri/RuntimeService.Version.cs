using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <summary>The kubelet's interface version, which has not moved since CRI began.</summary>
    private const string KubeletApiVersion = "0.1.0";

    /// <inheritdoc/>
    public override Task<V1.VersionResponse> Version(V1.VersionRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.VersionResponse
        {
            Version = KubeletApiVersion,
            RuntimeName = RuntimeName,
            RuntimeVersion = RuntimeVersion,
            RuntimeApiVersion = FormerApi.VersionOf(context),
        });
}
