using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Streaming;

/// <summary>One exec, from its start in the guest to its exit code.</summary>
internal sealed class ExecSession(PodTable table, TimeProvider time)
{
    /// <summary>Runs it. The token kills the process: a client that is gone leaves none behind.</summary>
    /// <exception cref="PodException">The container is gone or does not run.</exception>
    /// <exception cref="GuestException">The program cannot be executed, or the guest ended.</exception>
    public async Task<StreamStatus> RunAsync(ExecStreamRequest request, IProcessClient client, CancellationToken cancellationToken)
    {
        Container container = table.FindRunning(request.ContainerId, request.Verb);
        GuestClient guest = container.Sandbox.Guest;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        string execId = PodId.New();
        await using GuestCall<ExecResult> call = await guest.OpenAsync(
            GuestMethods.Exec,
            new ExecSpec
            {
                ContainerId = container.Id,
                ExecId = execId,
                Args = request.Command,
                Terminal = request.Tty,
                Stdin = request.Stdin,
            },
            GuestJson.Default.ExecSpec,
            GuestJson.Default.ExecResult,
            cancellationToken);
        Task input = client.Input is { } source ? GuestStreams.FeedAsync(source, call, passEnd: true, over.Token) : Task.CompletedTask;
        Task resize = request.Tty ? GuestStreams.ResizeAsync(client, guest, container.Id, execId, time, over.Token) : Task.CompletedTask;
        try
        {
            await Task.WhenAll(
                GuestStreams.DrainAsync(call.Output, client.WriteOutputAsync, cancellationToken),
                GuestStreams.DrainAsync(call.Error, client.WriteErrorAsync, cancellationToken));
            return StreamStatus.Exited((await call.Completion).ExitCode);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(input, resize);
        }
    }
}
