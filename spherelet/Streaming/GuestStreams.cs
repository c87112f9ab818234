using System.IO.Pipelines;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Streaming;

/// <summary>Copies between a client and a call of the guest. Neither side is read faster than the other takes.</summary>
internal static class GuestStreams
{
    /// <summary>How soon a size is offered again to a process that is only being started.</summary>
    private static readonly TimeSpan s_resizeRetryDelay = TimeSpan.FromMilliseconds(50);

    /// <summary>Sends all of a source to the call's Input. Ends quietly when the call does, and never throws.</summary>
    /// <param name="source">Completed at the end.</param>
    /// <param name="call">The call.</param>
    /// <param name="passEnd">The end of the source ends Input too.</param>
    /// <param name="cancellationToken">Ends the copying.</param>
    public static async Task FeedAsync<TResult>(PipeReader source, GuestCall<TResult> call, bool passEnd, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                ReadResult read = await source.ReadAsync(cancellationToken);
                foreach (ReadOnlyMemory<byte> piece in read.Buffer)
                {
                    await call.WriteInputAsync(piece, cancellationToken);
                }

                source.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    if (passEnd)
                    {
                        await call.EndInputAsync(cancellationToken);
                    }

                    return;
                }
            }
        }
        catch (Exception over) when (over is GuestException or IOException or OperationCanceledException)
        {
            // Who reads the output tells what became of the call; a client that went is told by its token.
        }
        finally
        {
            // What still comes is not waited for: nobody reads it any more.
            await source.CompleteAsync();
        }
    }

    /// <summary>Gives all bytes of a source to a writer, waiting for it.</summary>
    public static async Task DrainAsync(
        PipeReader source, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                ReadResult read = await source.ReadAsync(cancellationToken);
                foreach (ReadOnlyMemory<byte> piece in read.Buffer)
                {
                    await write(piece, cancellationToken);
                }

                source.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        finally
        {
            await source.CompleteAsync();
        }
    }

    /// <summary>Passes terminal sizes on until the token ends. A terminal that cannot be sized keeps its size.</summary>
    public static async Task ResizeAsync(
        IProcessClient client, GuestClient guest, string containerId, string? execId, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (TerminalSize size in client.Resizes.ReadAllAsync(cancellationToken))
            {
                var request = new ResizeRequest(containerId, execId, size.Width, size.Height);
                while (!await TryResizeAsync(guest, request, cancellationToken) && client.Resizes.Count == 0)
                {
                    // The first size comes before the terminal is there, and no event tells of it.
                    await Task.Delay(s_resizeRetryDelay, time, cancellationToken);
                }
            }
        }
        catch (Exception over) when (over is GuestException or OperationCanceledException)
        {
            // The session ends, or goes on in the size it has.
        }
    }

    private static async Task<bool> TryResizeAsync(GuestClient guest, ResizeRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await guest.CallAsync(
                GuestMethods.ResizeTerminal, request, GuestJson.Default.ResizeRequest, GuestJson.Default.Empty, cancellationToken);
            return true;
        }
        catch (GuestException early) when (early.Fault is GuestFault.WrongState or GuestFault.NotFound && !early.ConnectionLost)
        {
            return false;
        }
    }
}
