using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.ListMetricDescriptorsResponse> ListMetricDescriptors(V1.ListMetricDescriptorsRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.ListMetricDescriptorsResponse { Descriptors = { PodMetrics.Descriptors } });
}
