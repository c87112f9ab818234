using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.ListContainersResponse> ListContainers(V1.ListContainersRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.ListContainersResponse
        {
            Containers =
            {
                table.Containers.Values
                    .OrderByDescending(container => container.Record.CreatedUnixNanoseconds)
                    .Select(container => ContainerWriter.ListItem(container.Record))
                    .Where(item => Filters.Matches(request.Filter, item)),
            },
        });
}
