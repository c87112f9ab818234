using System.IO.Pipelines;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Streaming;

/// <summary>One client at the streams of a container's first process, until the process or the client ends.</summary>
internal sealed class AttachSession(PodTable table, TimeProvider time)
{
    /// <summary>How long the output may go on after the process ended: something left behind may hold it open for ever.</summary>
    private static readonly TimeSpan s_lastOutputWait = TimeSpan.FromSeconds(1);

    /// <summary>Runs it. The token detaches; the container goes on.</summary>
    /// <exception cref="PodException">The container is gone or does not run.</exception>
    /// <exception cref="GuestException">Its standard input cannot be used.</exception>
    public async Task<StreamStatus> RunAsync(AttachStreamRequest request, IProcessClient client, CancellationToken cancellationToken)
    {
        Container container = table.FindRunning(request.ContainerId, request.Verb);
        GuestClient guest = container.Sandbox.Guest;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using OutputSubscription output = container.Output.Subscribe();
        Task input = (client.Input, container.Record.Config.Stdin) switch
        {
            (null, _) => Task.CompletedTask,
            ({ } source, true) => FeedAsync(source, guest, container, over.Token),
            // The container was made without standard input: what the client types goes nowhere, as with other runtimes.
            ({ } source, false) => DropAsync(source, over.Token),
        };
        Task resize = container.Record.Config.Tty
            ? GuestStreams.ResizeAsync(client, guest, container.Id, execId: null, time, over.Token)
            : Task.CompletedTask;
        try
        {
            var copied = Task.WhenAll(
                GuestStreams.DrainAsync(output.Output, client.WriteOutputAsync, over.Token),
                GuestStreams.DrainAsync(output.Error, client.WriteErrorAsync, over.Token));
            await Task.WhenAny(copied, EndedAsync(container, over.Token), FailsAsync(input));
            if (input.IsFaulted)
            {
                await input;
            }

            output.End();
            await copied;
            return StreamStatus.Exited(0);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(input, resize).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Feeds standard input. With stdin_once, its end or the client's closes the container's input for good.</summary>
    private static async Task FeedAsync(PipeReader source, GuestClient guest, Container container, CancellationToken cancellationToken)
    {
        await using GuestCall<Empty> call = await guest.OpenAsync(
            GuestMethods.ContainerInput,
            new ContainerReference(container.Id),
            GuestJson.Default.ContainerReference,
            GuestJson.Default.Empty,
            cancellationToken);
        // Without stdin_once the call stays open after the client's last byte: cancelling it could overtake that byte.
        var feeding = GuestStreams.FeedAsync(source, call, passEnd: container.Record.Config.StdinOnce, cancellationToken);
        await Task.WhenAny(feeding, call.Completion);
        await call.Completion.WaitAsync(cancellationToken);
    }

    private static Task DropAsync(PipeReader source, CancellationToken cancellationToken) =>
        GuestStreams.DrainAsync(source, static (_, _) => ValueTask.CompletedTask, cancellationToken);

    private async Task EndedAsync(Container container, CancellationToken cancellationToken)
    {
        await container.Ended.WaitAsync(cancellationToken);
        await Task.Delay(s_lastOutputWait, time, cancellationToken);
    }

    /// <summary>Completes when the task fails, and only then.</summary>
    private static Task FailsAsync(Task task)
    {
        var failed = new TaskCompletionSource();
        _ = task.ContinueWith(
            _ => failed.TrySetResult(), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return failed.Task;
    }
}
