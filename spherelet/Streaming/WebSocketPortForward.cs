using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;

namespace Vks.Spherelet.Streaming;

/// <summary>
/// A port-forward session over WebSocket channels: the ports are those of the request, the one at index i has channel 2i for bytes and
/// 2i+1 for its error. The first message on each is the port, so that the client can tell them apart.
/// </summary>
internal sealed class WebSocketPortForward(PortConnection connections, PortForwardStreamRequest request, StreamingOptions options, TimeProvider time)
{
    /// <summary>Channels are one byte, and the last is taken.</summary>
    public const int MaxPorts = 127;

    private const int MaxUnreadBytes = 1024 * 1024;

    /// <summary>Serves every port until all connections have ended, the client goes or the token ends.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    public async Task RunAsync(WebSocket socket, bool base64, Action activity, CancellationToken cancellationToken)
    {
        Pipe[] inputs = [.. request.Ports.Select(static _ => new Pipe(new PipeOptions(
            pauseWriterThreshold: MaxUnreadBytes, resumeWriterThreshold: MaxUnreadBytes / 2, useSynchronizationContext: false)))];
        await using var channels = new WebSocketChannels(socket, base64, activity);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, channels.Gone);
        channels.Start(async (channel, bytes, _, _) =>
        {
            if (channel % 2 == 0 && channel / 2 < inputs.Length && !bytes.IsEmpty)
            {
                await inputs[channel / 2].Writer.WriteAsync(bytes, over.Token);
            }
        });
        try
        {
            await Task.WhenAll(request.Ports.Select((port, index) => ForwardAsync(channels, port, index, inputs[index].Reader, over.Token)));
            await channels.CloseAsync(options.LingerTimeout, time, over.Token);
        }
        finally
        {
            foreach (Pipe input in inputs)
            {
                await input.Reader.CompleteAsync();
            }
        }
    }

    private async Task ForwardAsync(WebSocketChannels channels, int port, int index, PipeReader input, CancellationToken cancellationToken)
    {
        int data = 2 * index;
        var name = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(name, (ushort)port);
        await channels.SendAsync(data, name, cancellationToken);
        await channels.SendAsync(data + 1, name, cancellationToken);
        string? fault = await connections.RunAsync(
            request.PodId, port, input, (bytes, token) => channels.SendAsync(data, bytes, token), cancellationToken);
        if (fault is not null)
        {
            await channels.SendAsync(data + 1, Encoding.UTF8.GetBytes(fault), cancellationToken);
        }
    }
}
