using Grpc.Core;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

internal sealed partial class RuntimeService
{
    /// <inheritdoc/>
    /// <remarks>Ends with the caller or the daemon. Headers go out at once, so that a caller knows from when on it hears everything.</remarks>
    public override async Task GetContainerEvents(
        V1.GetEventsRequest request, IServerStreamWriter<V1.ContainerEventResponse> responseStream, ServerCallContext context)
    {
        IHostApplicationLifetime daemon = context.GetHttpContext().RequestServices.GetRequiredService<IHostApplicationLifetime>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, daemon.ApplicationStopping);
        IAsyncEnumerator<PodEvent> events = table.Events.ListenAsync(end.Token).GetAsyncEnumerator(end.Token);
        await using (events)
        {
            try
            {
                // Begins to listen before the caller is told that it does.
                ValueTask<bool> next = events.MoveNextAsync();
                await context.WriteResponseHeadersAsync([]);
                while (await next)
                {
                    await responseStream.WriteAsync(Write(events.Current), end.Token);
                    next = events.MoveNextAsync();
                }
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                // The usual end of a stream that has none.
            }
        }
    }

    private static V1.ContainerEventResponse Write(PodEvent happened) => new()
    {
        ContainerId = happened.Id,
        ContainerEventType = happened.Kind switch
        {
            PodEventKind.Created => V1.ContainerEventType.ContainerCreatedEvent,
            PodEventKind.Started => V1.ContainerEventType.ContainerStartedEvent,
            PodEventKind.Stopped => V1.ContainerEventType.ContainerStoppedEvent,
            _ => V1.ContainerEventType.ContainerDeletedEvent,
        },
        CreatedAt = happened.UnixNanoseconds,
        PodSandboxStatus = PodWriter.Status(happened.Sandbox),
        ContainersStatuses = { happened.Containers.Select(ContainerWriter.Status) },
    };
}
