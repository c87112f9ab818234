using Grpc.Core;
using Vks.Spherelet.Pods;
using Vks.Spherelet.Streaming;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.AttachResponse> Attach(V1.AttachRequest request, ServerCallContext context)
    {
        StreamingRules.Check(request.ContainerId, request.Stdin, request.Stdout, request.Stderr, request.Tty);
        var stream = new AttachStreamRequest
        {
            ContainerId = "",
            Tty = request.Tty,
            Stdin = request.Stdin,
            Stdout = request.Stdout,
            Stderr = request.Stderr,
        };
        Container container = table.FindRunning(request.ContainerId, stream.Verb);
        return Task.FromResult(new V1.AttachResponse { Url = UrlOf(stream with { ContainerId = container.Id }) });
    }
}
