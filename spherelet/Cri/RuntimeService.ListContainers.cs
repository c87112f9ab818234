using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.ListContainersResponse> ListContainers(V1.ListContainersRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.ListContainersResponse { Containers = { ContainersMatching(request.Filter) } });

    /// <inheritdoc/>
    public override async Task StreamContainers(
        V1.StreamContainersRequest request, IServerStreamWriter<V1.StreamContainersResponse> responseStream, ServerCallContext context)
    {
        foreach (IReadOnlyList<V1.Container> piece in Pieces.Of(ContainersMatching(request.Filter)))
        {
            await responseStream.WriteAsync(new V1.StreamContainersResponse { Containers = { piece } }, context.CancellationToken);
        }
    }

    private IEnumerable<V1.Container> ContainersMatching(V1.ContainerFilter? filter) =>
        table.Containers.Values
            .OrderByDescending(container => container.Record.CreatedUnixNanoseconds)
            .Select(container => ContainerWriter.ListItem(container.Record))
            .Where(item => Filters.Matches(filter, item));
}
