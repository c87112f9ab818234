using System.Buffers;
using System.IO.Pipelines;

namespace Vks.Spherelet.Streaming;

/// <summary>One stream that the client opened.</summary>
internal sealed class SpdyStream
{
    /// <summary>Unread bytes at which the connection stops reading from its client, who then feels it in TCP.</summary>
    private const int MaxUnreadBytes = 1024 * 1024;

    private const int CreditStepBytes = SpdyFrame.InitialWindowBytes / 4;

    private readonly SpdyConnection _connection;
    private readonly Pipe _input = new(new PipeOptions(
        pauseWriterThreshold: MaxUnreadBytes, resumeWriterThreshold: MaxUnreadBytes / 2, useSynchronizationContext: false));

    private readonly Lock _lock = new();
    private TaskCompletionSource? _roomWaiter;
    private long _sendWindow;
    private bool _writable;
    private bool _inputEnded;
    private int _uncredited;

    internal SpdyStream(SpdyConnection connection, uint id, Dictionary<string, string> headers, bool writable, long sendWindow)
    {
        (_connection, Id, Headers, _writable, _sendWindow) = (connection, id, headers, writable, sendWindow);
    }

    /// <summary>Odd, and larger than that of any stream before.</summary>
    public uint Id { get; }

    /// <summary>What it was opened with.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Bytes of the client; ends when the client ends them, resets the stream or goes.</summary>
    public PipeReader Input => _input.Reader;

    /// <summary>Sends bytes. What is sent after either side ended the stream is dropped: the client wants no more of it.</summary>
    /// <exception cref="IOException">The connection is gone.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            int granted = await TakeRoomAsync(Math.Min(bytes.Length, SpdyConnection.MaxDataBytes), cancellationToken);
            if (granted == 0)
            {
                return;
            }

            await _connection.SendDataAsync(Id, bytes[..granted], fin: false, cancellationToken);
            bytes = bytes[granted..];
        }
    }

    /// <summary>Ends our side. Again is no error.</summary>
    /// <exception cref="IOException">The connection is gone.</exception>
    public async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        if (StopWriting())
        {
            await _connection.SendDataAsync(Id, default, fin: true, cancellationToken);
            Forget();
        }
    }

    /// <summary>Ends both sides at once. <see cref="Input"/> is of no use any more.</summary>
    public void Reset(SpdyResetStatus status)
    {
        _connection.PostReset(Id, status);
        StopWriting();
        _connection.Forget(Id);
        _input.Reader.Complete();
    }

    /// <summary>Takes bytes of the client, waiting while too many lie unread.</summary>
    /// <returns>How many bytes the client may send more; 0 until it is worth a frame.</returns>
    internal async ValueTask<int> ReceiveAsync(ReadOnlySequence<byte> bytes, bool fin, CancellationToken cancellationToken)
    {
        if (_inputEnded)
        {
            return 0;
        }

        foreach (ReadOnlyMemory<byte> piece in bytes)
        {
            _input.Writer.Write(piece.Span);
        }

        await _input.Writer.FlushAsync(cancellationToken);
        if (fin)
        {
            EndInput(null);
            return 0;
        }

        _uncredited += (int)bytes.Length;
        int credit = _uncredited >= CreditStepBytes ? _uncredited : 0;
        _uncredited -= credit;
        return credit;
    }

    /// <summary>The client sends nothing on this stream.</summary>
    internal void EndOfInput() => EndInput(null);

    /// <summary>The client has room for more, or less, than before.</summary>
    internal void AddRoom(long bytes)
    {
        TaskCompletionSource? waiter;
        lock (_lock)
        {
            _sendWindow += bytes;
            (waiter, _roomWaiter) = (_roomWaiter, null);
        }

        waiter?.TrySetResult();
    }

    /// <summary>The client reset the stream, or the connection is gone.</summary>
    internal void Abort(Exception? fault)
    {
        StopWriting();
        EndInput(fault);
    }

    private void EndInput(Exception? fault)
    {
        _inputEnded = true;
        _input.Writer.Complete(fault);
        Forget();
    }

    private void Forget()
    {
        bool over;
        lock (_lock)
        {
            over = _inputEnded && !_writable;
        }

        if (over)
        {
            _connection.Forget(Id);
        }
    }

    private bool StopWriting()
    {
        TaskCompletionSource? waiter;
        bool was;
        lock (_lock)
        {
            (was, _writable) = (_writable, false);
            (waiter, _roomWaiter) = (_roomWaiter, null);
        }

        waiter?.TrySetResult();
        return was;
    }

    /// <returns>How many bytes may be sent; 0 when none ever.</returns>
    private async ValueTask<int> TakeRoomAsync(int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task room;
            lock (_lock)
            {
                if (!_writable)
                {
                    return 0;
                }

                long free = _connection.PeerHasWindows ? Math.Min(wanted, _sendWindow) : wanted;
                if (free > 0)
                {
                    _sendWindow -= free;
                    return (int)free;
                }

                _roomWaiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                room = _roomWaiter.Task;
            }

            await room.WaitAsync(cancellationToken);
        }
    }
}
