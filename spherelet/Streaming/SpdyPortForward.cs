using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Vks.Spherelet.Streaming;

/// <summary>A port-forward session over SPDY: two streams for each connection, one for its bytes and one for its error.</summary>
/// <param name="ports">Dials.</param>
/// <param name="podId">The pod sandbox.</param>
/// <param name="options">How long a stream may wait for its twin.</param>
/// <param name="time">The clock.</param>
internal sealed class SpdyPortForward(PortConnection ports, string podId, StreamingOptions options, TimeProvider time)
{
    private readonly Dictionary<string, SpdyStream> _waiting = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<uint, Task> _running = new();
    private readonly Lock _lock = new();

    /// <summary>Serves connections until the client goes or the token ends.</summary>
    public async Task RunAsync(SpdyConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (SpdyStream stream in connection.Accepted.ReadAllAsync(cancellationToken))
            {
                Accept(stream, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The session ends; its connections do too.
        }

        await Task.WhenAll(_running.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Accept(SpdyStream stream, CancellationToken cancellationToken)
    {
        string? type = stream.Headers.GetValueOrDefault("streamtype");
        if (type is not ("data" or "error"))
        {
            stream.Reset(SpdyResetStatus.RefusedStream);
            return;
        }

        SpdyStream? twin;
        string key = RequestOf(stream, type);
        lock (_lock)
        {
            if (!_waiting.Remove(key, out twin))
            {
                _waiting[key] = stream;
            }
        }

        if (twin is null)
        {
            _ = ExpireAsync(key, stream, cancellationToken);
            return;
        }

        if (twin.Headers.GetValueOrDefault("streamtype") == type)
        {
            stream.Reset(SpdyResetStatus.ProtocolError);
            twin.Reset(SpdyResetStatus.ProtocolError);
            return;
        }

        (SpdyStream data, SpdyStream error) = type == "data" ? (stream, twin) : (twin, stream);
        Task connection = ForwardAsync(data, error, cancellationToken);
        _running[data.Id] = connection;
        _ = connection.ContinueWith(
            _ => _running.TryRemove(data.Id, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>What joins two streams. Very old clients send none, but always open the error stream just before the other.</summary>
    private static string RequestOf(SpdyStream stream, string type) =>
        stream.Headers.GetValueOrDefault("requestid")
        ?? (type == "error" ? stream.Id : stream.Id - 2).ToString(CultureInfo.InvariantCulture);

    private async Task ForwardAsync(SpdyStream data, SpdyStream error, CancellationToken cancellationToken)
    {
        await Task.Yield();
        await error.Input.CompleteAsync();
        try
        {
            string? fault = int.TryParse(data.Headers.GetValueOrDefault("port"), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
                && port is >= 1 and <= 65535
                ? await ports.RunAsync(podId, port, data.Input, data.WriteAsync, cancellationToken)
                : $"'{data.Headers.GetValueOrDefault("port")}' is no port: 1 to 65535 are expected.";
            await data.EndAsync(cancellationToken);
            if (fault is not null)
            {
                await error.WriteAsync(Encoding.UTF8.GetBytes(fault), cancellationToken);
            }

            await error.EndAsync(cancellationToken);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            // The client takes its streams with it.
        }
        finally
        {
            await data.Input.CompleteAsync();
        }
    }

    private async Task ExpireAsync(string key, SpdyStream stream, CancellationToken cancellationToken)
    {
        await Task.Delay(options.OpenTimeout, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (!_waiting.TryGetValue(key, out SpdyStream? waiting) || waiting != stream)
            {
                return;
            }

            _waiting.Remove(key);
        }

        stream.Reset(SpdyResetStatus.Cancel);
    }
}
