using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.ListPodSandboxResponse> ListPodSandbox(V1.ListPodSandboxRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.ListPodSandboxResponse { Items = { PodsMatching(request.Filter) } });

    /// <inheritdoc/>
    public override async Task StreamPodSandboxes(
        V1.StreamPodSandboxesRequest request, IServerStreamWriter<V1.StreamPodSandboxesResponse> responseStream, ServerCallContext context)
    {
        foreach (IReadOnlyList<V1.PodSandbox> piece in Pieces.Of(PodsMatching(request.Filter)))
        {
            await responseStream.WriteAsync(new V1.StreamPodSandboxesResponse { PodSandboxes = { piece } }, context.CancellationToken);
        }
    }

    private IEnumerable<V1.PodSandbox> PodsMatching(V1.PodSandboxFilter? filter) =>
        table.Pods.Values
            .OrderByDescending(sandbox => sandbox.Record.CreatedUnixNanoseconds)
            .Select(PodWriter.ListItem)
            .Where(item => Filters.Matches(filter, item));
}
