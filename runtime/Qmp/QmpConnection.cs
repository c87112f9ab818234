using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;

namespace Vks.Runtime.Qmp;

/// <summary>Lines of JSON to and from one QEMU: matches answers to commands by id, hands out events. Knows no command.</summary>
/// <remarks>One task reads; the first reason to end (peer closed, garbage, disposed) fails all commands under way and ends all event readers.</remarks>
internal sealed class QmpConnection : IAsyncDisposable
{
    /// <summary>A longer line is garbage. QEMU's longest answers have some hundred KiB.</summary>
    internal const int MaxLineBytes = 16 * 1024 * 1024;

    /// <summary>The name of the spans' source: one span a command, if it is part of a trace.</summary>
    internal const string SourceName = "Vks.Runtime.Qmp";

    private const int EventBacklog = 256;

    private static readonly ActivitySource s_traces = new(SourceName);

    private readonly QmpTransport _transport;
    private readonly PipeReader _reader;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ConcurrentDictionary<long, TaskCompletionSource<QmpLine>> _waiting = new();
    private readonly TaskCompletionSource<QmpGreeting> _greeting = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _eventsLock = new();
    private readonly Task _readLoop;
    private Channel<QmpEvent>[] _eventReaders = [];
    private QmpException? _end;
    private long _lastId;
    private int _disposed;

    /// <summary>Starts reading.</summary>
    /// <param name="transport">Owned from here on.</param>
    internal QmpConnection(QmpTransport transport)
    {
        _transport = transport;
        _reader = PipeReader.Create(transport.Stream, new StreamPipeReaderOptions(leaveOpen: true));
        _readLoop = Task.Run(ReadLoopAsync);
    }

    /// <summary>QEMU's greeting, the first line it sends.</summary>
    internal Task<QmpGreeting> Greeting => _greeting.Task;

    /// <summary>Completes when the connection has ended. Never fails.</summary>
    internal Task Closed => _readLoop;

    /// <summary>Sends a command and completes with its result.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="commandType">How the command is written.</param>
    /// <param name="descriptor">An open descriptor that travels with it, or null.</param>
    /// <param name="cancellationToken">Ends the waiting; a command that is sent stays sent.</param>
    internal async Task<JsonElement> SendAsync<T>(
        string command, T arguments, JsonTypeInfo<QmpCommand<T>> commandType, SafeHandle? descriptor, CancellationToken cancellationToken)
    {
        using Activity? span = Activity.Current is null ? null : s_traces.StartActivity("qmp", ActivityKind.Client);
        span?.DisplayName = "qmp " + command;
        long id = Interlocked.Increment(ref _lastId);
        TaskCompletionSource<QmpLine> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answer;
        try
        {
            if (Volatile.Read(ref _end) is { } ended)
            {
                throw Lost(command, ended);
            }

            byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(new QmpCommand<T>(command, id, arguments), commandType), (byte)'\n'];
            await WriteAsync(command, line, descriptor, cancellationToken);
            QmpLine reply = await WaitAsync(command, answer.Task, cancellationToken);
            return reply.Error is { } error
                ? throw new QmpException(QmpFault.CommandFailed, command, $"QEMU refused {command}: {error.Desc} ({error.Class})", error.Class)
                : reply.Return ?? default;
        }
        catch (Exception exception)
        {
            span?.SetStatus(ActivityStatusCode.Error, exception.Message);
            throw;
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    /// <summary>A queue of events from now on, completed when the connection ends. Give it back with <see cref="Unsubscribe"/>.</summary>
    internal Channel<QmpEvent> Subscribe()
    {
        Channel<QmpEvent> channel = Channel.CreateBounded<QmpEvent>(
            new BoundedChannelOptions(EventBacklog) { FullMode = BoundedChannelFullMode.DropOldest, SingleWriter = false });
        lock (_eventsLock)
        {
            _eventReaders = [.. _eventReaders, channel];
            if (_end is not null)
            {
                channel.Writer.TryComplete();
            }
        }

        return channel;
    }

    /// <summary>Ends a queue of events.</summary>
    internal void Unsubscribe(Channel<QmpEvent> channel)
    {
        lock (_eventsLock)
        {
            _eventReaders = [.. _eventReaders.Where(other => other != channel)];
        }

        channel.Writer.TryComplete();
    }

    /// <summary>Closes the connection; commands under way fail with <see cref="QmpFault.ConnectionLost"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            End(new QmpException(QmpFault.ConnectionLost, "", "the connection was closed on this side"));
            await _transport.Stream.DisposeAsync();
        }

        await _readLoop;
    }

    private static QmpException Lost(string command, QmpException reason) =>
        new(reason.Fault, command, $"{command} got no answer from QEMU: {reason.Message}", cause: reason);

    private static async Task<QmpLine> WaitAsync(string command, Task<QmpLine> answer, CancellationToken cancellationToken)
    {
        try
        {
            return await answer.WaitAsync(cancellationToken);
        }
        catch (QmpException reason)
        {
            throw Lost(command, reason);
        }
    }

    // A line once begun is sent to its end: half a line would garble the next command. So the token counts only until our turn comes.
    private async Task WriteAsync(string command, byte[] line, SafeHandle? descriptor, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            if (descriptor is null)
            {
                await _transport.Stream.WriteAsync(line, CancellationToken.None);
            }
            else if (_transport.SendWithDescriptor is { } send)
            {
                await send(line, descriptor, CancellationToken.None);
            }
            else
            {
                throw new InvalidOperationException($"{command} passes a descriptor, but this connection is not a unix socket.");
            }
        }
        catch (Exception exception) when (exception is not InvalidOperationException or ObjectDisposedException)
        {
            QmpException reason = new(QmpFault.ConnectionLost, command, $"the connection broke while sending: {exception.Message}", cause: exception);
            End(reason);
            throw Lost(command, reason);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task ReadLoopAsync()
    {
        QmpException reason;
        try
        {
            await ReadLinesAsync();
            reason = new QmpException(QmpFault.ConnectionLost, "", "QEMU closed the connection");
        }
        catch (QmpException exception)
        {
            reason = exception;
        }
        catch (Exception exception)
        {
            reason = new QmpException(QmpFault.ConnectionLost, "", $"the connection broke: {exception.Message}", cause: exception);
        }

        End(reason);
        await _reader.CompleteAsync();

        // Closed here and not only in DisposeAsync: a peer that sends garbage is told at once.
        await _transport.Stream.DisposeAsync();
    }

    private async Task ReadLinesAsync()
    {
        while (true)
        {
            ReadResult result = await _reader.ReadAsync();
            ReadOnlySequence<byte> buffer = result.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                Dispatch(buffer.Slice(0, end));
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (buffer.Length > MaxLineBytes)
            {
                throw new QmpException(QmpFault.ProtocolError, "", $"QEMU sent a line longer than {MaxLineBytes} bytes");
            }

            _reader.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                return;
            }
        }
    }

    private void Dispatch(ReadOnlySequence<byte> bytes)
    {
        if (IsBlank(bytes))
        {
            return;
        }

        QmpLine line = Parse(bytes);
        if (line.Greeting is { } greeting)
        {
            _greeting.TrySetResult(greeting);
        }
        else if (line.Event is not null)
        {
            QmpEvent qmpEvent = QmpEventReader.Read(line);
            foreach (Channel<QmpEvent> reader in Volatile.Read(ref _eventReaders))
            {
                reader.Writer.TryWrite(qmpEvent);
            }
        }
        else if (line.Return is null && line.Error is null)
        {
            throw Garbage(bytes, null);
        }
        else if (line.Id is { } id)
        {
            // No entry: the caller stopped waiting.
            if (_waiting.TryGetValue(id, out TaskCompletionSource<QmpLine>? answer))
            {
                answer.TrySetResult(line);
            }
        }
        else
        {
            // An answer without id is QEMU's complaint about a line that it could not read. Ours are whole; the stream is broken.
            throw Garbage(bytes, null);
        }
    }

    private static QmpLine Parse(ReadOnlySequence<byte> bytes)
    {
        try
        {
            Utf8JsonReader json = new(bytes);
            return JsonSerializer.Deserialize(ref json, QmpJson.Default.QmpLine) is { } line && !json.Read() ? line : throw Garbage(bytes, null);
        }
        catch (JsonException exception)
        {
            throw Garbage(bytes, exception);
        }
    }

    private static bool IsBlank(ReadOnlySequence<byte> bytes)
    {
        SequenceReader<byte> reader = new(bytes);
        reader.AdvancePastAny((byte)' ', (byte)'\t', (byte)'\r');
        return reader.End;
    }

    private static QmpException Garbage(ReadOnlySequence<byte> bytes, Exception? cause)
    {
        const int Shown = 120;
        string start = Encoding.UTF8.GetString(bytes.Slice(0, Math.Min(Shown, bytes.Length)));
        return new QmpException(QmpFault.ProtocolError, "", $"QEMU sent what is not QMP: '{start}'", cause: cause);
    }

    private void End(QmpException reason)
    {
        Channel<QmpEvent>[] readers;
        lock (_eventsLock)
        {
            if (_end is not null)
            {
                return; // The first reason counts.
            }

            Volatile.Write(ref _end, reason);
            readers = _eventReaders;
        }

        _greeting.TrySetException(reason);
        _ = _greeting.Task.Exception; // Seen: nobody may be waiting for it.
        foreach (TaskCompletionSource<QmpLine> answer in _waiting.Values)
        {
            answer.TrySetException(reason);
            _ = answer.Task.Exception;
        }

        foreach (Channel<QmpEvent> reader in readers)
        {
            reader.Writer.TryComplete();
        }
    }
}
