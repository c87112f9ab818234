using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>A non-blocking descriptor as a stream: pipe, terminal, socket or virtio-serial port.</summary>
/// <remarks>Owns the descriptor. One reader and one writer at a time. A read of 0 bytes is the end.</remarks>
internal sealed class AsyncFd : Stream, IWatched
{
    private readonly AsyncSignal _readable = new();
    private readonly AsyncSignal _writable = new();
    private readonly Lock _lock = new();
    private readonly ulong _key;
    private int _fd;

    /// <summary>Takes over a descriptor and makes it non-blocking.</summary>
    internal AsyncFd(int fd)
    {
        _fd = fd;
        const int GetFlags = 3, SetFlags = 4;
        int flags = Libc.FileControl(fd, GetFlags, 0);
        if (flags < 0 || Libc.FileControl(fd, SetFlags, flags | Constants.OpenNonBlocking) < 0)
        {
            var error = SystemError.Last($"Making descriptor {fd} non-blocking");
            _ = Libc.Close(fd);
            throw error;
        }

        _key = Poller.Shared.Add(this, fd);
    }

    /// <summary>The descriptor; -1 once disposed.</summary>
    internal int Number => Volatile.Read(ref _fd);

    /// <summary>Whether the peer has hung up, by poll(2).</summary>
    internal unsafe bool IsHungUp
    {
        get
        {
            lock (_lock)
            {
                var entry = new PollFd { Fd = _fd, Events = Constants.PollIn };
                return _fd < 0 || (Libc.Poll(&entry, 1, 0) > 0 && (entry.Returned & Constants.PollHangUp) != 0);
            }
        }
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Waits for an edge that may have made the descriptor readable.</summary>
    internal Task WaitReadableAsync(CancellationToken cancellationToken) => _readable.WaitAsync(cancellationToken);

    /// <summary>Waits for an edge that may have made the descriptor writable.</summary>
    internal Task WaitWritableAsync(CancellationToken cancellationToken) => _writable.WaitAsync(cancellationToken);

    /// <summary>Reads once; -1 when there is nothing to read now.</summary>
    internal unsafe int TryRead(Span<byte> buffer)
    {
        while (true)
        {
            nint got;
            int errno;
            lock (_lock)
            {
                if (_fd < 0)
                {
                    return 0;
                }

                fixed (byte* start = buffer)
                {
                    got = Libc.Read(_fd, start, (nuint)buffer.Length);
                    errno = got < 0 ? Marshal.GetLastPInvokeError() : 0;
                }
            }

            switch (errno)
            {
                case 0:
                    return (int)got;
                case Constants.TryAgain:
                    return -1;
                case Constants.Interrupted:
                    continue;
                case Constants.InputOutput:
                    // A terminal whose last slave was closed.
                    return 0;
                default:
                    throw new IOException($"Reading descriptor {_fd}: {SystemError.Text(errno)}");
            }
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            int got = TryRead(buffer.Span);
            if (got >= 0)
            {
                return got;
            }

            await _readable.WaitAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int put = TryWrite(buffer.Span);
            if (put >= 0)
            {
                buffer = buffer[put..];
                continue;
            }

            await _writable.WaitAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void OnEvents(uint events)
    {
        const uint Ended = Constants.EpollError | Constants.EpollHangUp | Constants.EpollReadHangUp;
        // A port that the host opens shows as OUT alone: both sides look again on any edge of the state.
        if ((events & (Constants.EpollIn | Constants.EpollOut | Ended)) != 0)
        {
            _readable.Set();
        }

        if ((events & (Constants.EpollOut | Ended)) != 0)
        {
            _writable.Set();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        lock (_lock)
        {
            if (_fd >= 0)
            {
                Poller.Shared.Remove(_key, _fd);
                _ = Libc.Close(_fd);
                Volatile.Write(ref _fd, -1);
            }
        }

        _readable.Set();
        _writable.Set();
        base.Dispose(disposing);
    }

    private unsafe int TryWrite(ReadOnlySpan<byte> bytes)
    {
        while (true)
        {
            nint put;
            int errno;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_fd < 0, this);
                fixed (byte* start = bytes)
                {
                    put = Libc.Write(_fd, start, (nuint)bytes.Length);
                    errno = put < 0 ? Marshal.GetLastPInvokeError() : 0;
                }
            }

            switch (errno)
            {
                case 0:
                    return (int)put;
                case Constants.TryAgain:
                    return -1;
                case Constants.Interrupted:
                    continue;
                default:
                    throw new IOException($"Writing descriptor {_fd}: {SystemError.Text(errno)}");
            }
        }
    }
}
