using System.IO.Pipelines;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Streaming;

/// <summary>One TCP connection inside a pod's guest.</summary>
internal sealed class PortConnection(PodTable table)
{
    /// <summary>Connects to the port on localhost, IPv4 first, then IPv6, and copies both ways until the guest's side ends.</summary>
    /// <param name="podId">The pod sandbox.</param>
    /// <param name="port">1 to 65535.</param>
    /// <param name="input">What the client sends.</param>
    /// <param name="output">Takes what the port sends.</param>
    /// <param name="cancellationToken">Breaks the connection.</param>
    /// <returns>Why it could not be made or broke, for the client; null when all went well.</returns>
    /// <exception cref="IOException">The client is gone.</exception>
    public async Task<string?> RunAsync(
        string podId, int port, PipeReader input, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> output, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await using GuestCall<Empty> call = await table.FindPod(podId).Guest.OpenAsync(
                GuestMethods.Dial, new DialRequest("", port), GuestJson.Default.DialRequest, GuestJson.Default.Empty, cancellationToken);
            await call.Error.CompleteAsync();
            Task feeding = GuestStreams.FeedAsync(input, call, passEnd: true, over.Token);
            try
            {
                await GuestStreams.DrainAsync(call.Output, output, cancellationToken);
                await call.Completion;
                return null;
            }
            finally
            {
                await over.CancelAsync();
                await feeding;
            }
        }
        catch (Exception fault) when (fault is GuestException or PodException)
        {
            return $"error forwarding port {port} to pod {podId}: {fault.Message}";
        }
    }
}
