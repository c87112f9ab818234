using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>One output stream of a container: from its pipe into a ring, from the ring to whichever host asks.</summary>
internal sealed class OutputStream(GuestStream stream)
{
    private const int ChunkBytes = 32 * 1024;

    /// <summary>What the host has not acknowledged.</summary>
    internal OutputRing Ring { get; } = new();

    /// <summary>Reads the pipe to its end. While the ring is full nothing is read, and the container's writes wait.</summary>
    internal async Task PumpAsync(AsyncFd source, CancellationToken cancellationToken)
    {
        var chunk = new byte[ChunkBytes];
        try
        {
            while (true)
            {
                int got = await source.ReadAsync(chunk, cancellationToken);
                if (got == 0)
                {
                    return;
                }

                for (var done = 0; done < got;)
                {
                    int put = Ring.TryWrite(chunk.AsSpan(done, got - done));
                    done += put;
                    if (put == 0)
                    {
                        await Ring.WaitForSpaceAsync(cancellationToken);
                    }
                }
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            if (exception is IOException)
            {
                Boot.Console.Log($"{stream} of a container: {exception.Message}");
            }
        }
        finally
        {
            Ring.Complete();
        }
    }

    /// <summary>Sends the bytes from <paramref name="offset"/> on until the stream ends; gives the stream's length.</summary>
    internal async Task<long> SendAsync(AgentCall call, long offset, CancellationToken cancellationToken)
    {
        var chunk = new byte[ChunkBytes];
        while (true)
        {
            bool completed = Ring.IsCompleted;
            int count = Ring.Read(offset, chunk);
            if (count > 0)
            {
                await call.WriteAsync(stream, chunk.AsMemory(0, count), cancellationToken);
                offset += count;
            }
            else if (completed)
            {
                await call.EndAsync(stream);
                return offset;
            }
            else
            {
                await Ring.WaitForNewsAsync(cancellationToken);
            }
        }
    }
}
