using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Vks.Spherelet.Cri;

/// <summary>Puts an <see cref="AuthorityRewriter"/> before the web server, for clients that name the socket's path as authority.</summary>
internal static class AuthorityFilter
{
    /// <summary>Filters what clients send on this endpoint.</summary>
    public static void UseAnyAuthority(this ListenOptions listen) => listen.Use(static next => async connection =>
    {
        IDuplexPipe transport = connection.Transport;
        Pipe filtered = new();
        Task pump = PumpAsync(transport.Input, filtered.Writer);
        connection.Transport = new Duplex(filtered.Reader, transport.Output);
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
            transport.Input.CancelPendingRead();
            await pump;
        }
    });

    private static async Task PumpAsync(PipeReader input, PipeWriter output)
    {
        Exception? problem = null;
        try
        {
            AuthorityRewriter rewriter = new();
            while (true)
            {
                ReadResult read = await input.ReadAsync();
                int taken = Pass(rewriter, read.Buffer, output);
                input.AdvanceTo(read.Buffer.GetPosition(taken), read.Buffer.End);
                FlushResult flushed = await output.FlushAsync();
                if (read.IsCompleted || read.IsCanceled || flushed.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (Exception broken) when (broken is IOException or ConnectionAbortedException or ConnectionResetException or InvalidOperationException)
        {
            // The server is told as if it had read itself, and ends the connection.
            problem = broken;
        }

        await output.CompleteAsync(problem);
    }

    private static int Pass(AuthorityRewriter rewriter, ReadOnlySequence<byte> buffer, PipeWriter output)
    {
        if (buffer.IsSingleSegment)
        {
            return rewriter.Pass(buffer.FirstSpan, output);
        }

        byte[] whole = ArrayPool<byte>.Shared.Rent((int)buffer.Length);
        try
        {
            buffer.CopyTo(whole);
            return rewriter.Pass(whole.AsSpan(0, (int)buffer.Length), output);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
