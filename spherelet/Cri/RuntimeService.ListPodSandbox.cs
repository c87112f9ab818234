using Grpc.Core;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.ListPodSandboxResponse> ListPodSandbox(V1.ListPodSandboxRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.ListPodSandboxResponse
        {
            Items =
            {
                table.Pods.Values
                    .OrderByDescending(sandbox => sandbox.Record.CreatedUnixNanoseconds)
                    .Select(PodWriter.ListItem)
                    .Where(item => Filters.Matches(request.Filter, item)),
            },
        });
}
