using Grpc.Core;
using Vks.Spherelet.Pods;
using Vks.Spherelet.Streaming;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    public override Task<V1.ExecResponse> Exec(V1.ExecRequest request, ServerCallContext context)
    {
        if (request.Cmd.Count == 0 || request.Cmd[0].Length == 0)
        {
            throw new PodException(PodFault.InvalidConfig, request.ContainerId, "cmd is empty; give a program to run.");
        }

        StreamingRules.Check(request.ContainerId, request.Stdin, request.Stdout, request.Stderr, request.Tty);
        var stream = new ExecStreamRequest
        {
            ContainerId = "",
            Command = [.. request.Cmd],
            Tty = request.Tty,
            Stdin = request.Stdin,
            Stdout = request.Stdout,
            Stderr = request.Stderr,
        };
        Container container = table.FindRunning(request.ContainerId, stream.Verb);
        return Task.FromResult(new V1.ExecResponse { Url = UrlOf(stream with { ContainerId = container.Id }) });
    }

    private string UrlOf(StreamRequest request) => streaming.TryCreate(request) ?? throw new RpcException(new Status(
        StatusCode.ResourceExhausted,
        $"{StreamingTokens.MaxOutstanding} streaming URLs were given out and not used; try again in a minute."));
}
