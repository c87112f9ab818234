using System.Buffers;

namespace Vks.Runtime.Guest.Protocol;

/// <summary>
/// Queues frames and hands them to the stream, one write at a time; what is posted while a write is under way goes out in the next.
/// Safe to use from many threads; frames of one message are never mixed with others.
/// </summary>
/// <remarks>
/// Bulk senders use <see cref="TryPost"/> and wait with <see cref="WaitForRoomAsync"/>; <see cref="Post"/> is for small frames
/// that must not wait. A peer that lets <see cref="MostPendingBytes"/> pile up is taken for dead.
/// </remarks>
internal sealed class FrameWriter(Stream stream)
{
    /// <summary>Bytes queued above which bulk senders wait.</summary>
    public const int RoomBytes = 256 * 1024;

    /// <summary>Bytes queued above which the peer is given up.</summary>
    public const int MostPendingBytes = 4 * ProtocolLimits.MaxMessageBytes;

    private static readonly byte[] Zeros = new byte[ProtocolLimits.MaxFramePayloadBytes + ProtocolLimits.HeaderBytes];

    private readonly Lock _gate = new();
    private readonly TaskCompletionSource<Exception> _faulted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(long Target, TaskCompletionSource Done)> _flushes = [];
    private TaskCompletionSource? _room;
    private byte[] _pending = [];
    private int _pendingBytes;
    private long _queuedBytes;
    private long _writtenBytes;
    private bool _writing;
    private Exception? _fault;

    /// <summary>Completes with the reason once nothing can be sent any more.</summary>
    public Task<Exception> Faulted => _faulted.Task;

    /// <summary>Queues a message of any size up to <see cref="ProtocolLimits.MaxMessageBytes"/>; silently dropped after a fault.</summary>
    public void Post(FrameKind kind, GuestStream frameStream, uint callId, ReadOnlySpan<byte> body) =>
        Enqueue(kind, frameStream, callId, body, MostPendingBytes);

    /// <summary>Queues a message unless <see cref="RoomBytes"/> are waiting already.</summary>
    /// <returns>False: nothing was queued, wait for room.</returns>
    /// <exception cref="IOException">The stream is broken.</exception>
    public bool TryPost(FrameKind kind, GuestStream frameStream, uint callId, ReadOnlySpan<byte> body)
    {
        bool queued = Enqueue(kind, frameStream, callId, body, RoomBytes);
        ThrowIfFaulted();
        return queued;
    }

    /// <summary>Queues zeros that complete whatever half frame the peer's reader is in, and are skipped as no header.</summary>
    public void PostPadding()
    {
        lock (_gate)
        {
            Append(Zeros);
        }

        Kick();
    }

    /// <summary>Completes when <see cref="TryPost"/> is worth trying again.</summary>
    /// <exception cref="IOException">The stream is broken.</exception>
    public async ValueTask WaitForRoomAsync(CancellationToken cancellationToken)
    {
        Task room;
        lock (_gate)
        {
            if (_fault is null && _pendingBytes < RoomBytes)
            {
                return;
            }

            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            room = _fault is null ? _room.Task : Task.CompletedTask;
        }

        await room.WaitAsync(cancellationToken);
        ThrowIfFaulted();
    }

    /// <summary>Completes when all that was queued before has been handed to the stream, or can never be.</summary>
    public Task FlushAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_fault is not null || _writtenBytes >= _queuedBytes)
            {
                return Task.CompletedTask;
            }

            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _flushes.Add((_queuedBytes, done));
            return done.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Gives up: waiters wake, later frames are dropped. The first reason stays.</summary>
    public void Abort(Exception reason)
    {
        List<TaskCompletionSource> waiters = [];
        lock (_gate)
        {
            if (_fault is not null)
            {
                return;
            }

            _fault = reason;
            waiters.AddRange(_flushes.Select(flush => flush.Done));
            _flushes.Clear();
            if (_room is { } room)
            {
                waiters.Add(room);
            }

            Release(ref _pending);
            _pendingBytes = 0;
        }

        _faulted.TrySetResult(reason);
        waiters.ForEach(waiter => waiter.TrySetResult());
    }

    private bool Enqueue(FrameKind kind, GuestStream frameStream, uint callId, ReadOnlySpan<byte> body, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(body.Length, ProtocolLimits.MaxMessageBytes);
        bool queued;
        lock (_gate)
        {
            if (_fault is not null)
            {
                return false;
            }

            queued = _pendingBytes < limit;
            if (queued)
            {
                AppendMessage(kind, frameStream, callId, body);
            }
        }

        if (queued)
        {
            Kick();
        }
        else if (limit == MostPendingBytes)
        {
            Abort(new IOException($"The peer left {MostPendingBytes} bytes of frames unread; the channel is given up."));
        }

        return queued;
    }

    private void AppendMessage(FrameKind kind, GuestStream frameStream, uint callId, ReadOnlySpan<byte> body)
    {
        Span<byte> header = stackalloc byte[ProtocolLimits.HeaderBytes];
        do
        {
            int length = Math.Min(body.Length, ProtocolLimits.MaxFramePayloadBytes);
            new FrameHeader(kind, frameStream, callId, length, More: length < body.Length).Write(header);
            Append(header);
            Append(body[..length]);
            body = body[length..];
        }
        while (body.Length > 0);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_pending.Length - _pendingBytes < bytes.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_pendingBytes + bytes.Length, Math.Max(4096, _pending.Length * 2)));
            _pending.AsSpan(0, _pendingBytes).CopyTo(larger);
            Release(ref _pending);
            _pending = larger;
        }

        bytes.CopyTo(_pending.AsSpan(_pendingBytes));
        _pendingBytes += bytes.Length;
        _queuedBytes += bytes.Length;
    }

    /// <summary>The caller that finds no write under way does the writing: no thread hop for a lone small request.</summary>
    private void Kick()
    {
        lock (_gate)
        {
            if (_writing || _pendingBytes == 0)
            {
                return;
            }

            _writing = true;
        }

        _ = WriteAllAsync();
    }

    private async Task WriteAllAsync()
    {
        int written = 0;
        while (TakeBatch(written) is { Count: > 0 } batch)
        {
            try
            {
                await stream.WriteAsync(batch.AsMemory(), CancellationToken.None);
                await stream.FlushAsync(CancellationToken.None);
                written = batch.Count;
            }
            catch (Exception exception)
            {
                Abort(exception);
            }

            ArrayPool<byte>.Shared.Return(batch.Array!);
        }
    }

    /// <summary>Accounts for what was written and takes what has gathered meanwhile; empty ends the writing.</summary>
    private ArraySegment<byte> TakeBatch(int written)
    {
        TaskCompletionSource? room;
        List<TaskCompletionSource>? flushed = null;
        ArraySegment<byte> batch;
        lock (_gate)
        {
            _writtenBytes += written;
            if (_flushes.Count > 0)
            {
                flushed = [.. _flushes.Where(flush => flush.Target <= _writtenBytes).Select(flush => flush.Done)];
                _flushes.RemoveAll(flush => flush.Target <= _writtenBytes);
            }

            (room, _room) = (_room, null);
            batch = _fault is null ? new ArraySegment<byte>(_pending, 0, _pendingBytes) : default;
            _writing = batch.Count > 0;
            if (_writing)
            {
                (_pending, _pendingBytes) = ([], 0);
            }
        }

        room?.TrySetResult();
        flushed?.ForEach(done => done.TrySetResult());
        return batch;
    }

    private void ThrowIfFaulted()
    {
        if (Volatile.Read(ref _fault) is { } fault)
        {
            throw new IOException($"The guest channel is broken: {fault.Message}", fault);
        }
    }

    private static void Release(ref byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        buffer = [];
    }
}
