using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>A stream over a connected, non-blocking socket of a kind that .NET's Socket does not know.</summary>
/// <remarks>One reader and one writer at a time; waiting costs no thread.</remarks>
internal sealed class DescriptorStream : Stream
{
    private readonly SafeFileHandle _reading;
    private readonly SafeFileHandle _writing; // epoll takes each descriptor once, and reading and writing wait apart
    private readonly string _subject;
    private readonly CancellationTokenSource _closed = new();

    /// <summary>Takes over a connected socket.</summary>
    /// <param name="socket">Non-blocking; closed with the stream.</param>
    /// <param name="subject">What it is connected to, for errors.</param>
    internal DescriptorStream(SafeFileHandle socket, string subject)
    {
        _reading = socket;
        _writing = Native.DuplicateHigh((int)socket.DangerousGetHandle());
        _subject = subject;
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

    /// <summary>Completes when a descriptor is ready for these epoll events.</summary>
    internal static async Task WaitReadyAsync(SafeFileHandle handle, int events, CancellationToken cancellationToken)
    {
        TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using Poller.Registration registration = Poller.Shared.Register(handle, events | LibC.EPOLLONESHOT, _ => ready.TrySetResult());
        await ready.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            (long count, int errno) = Transfer(_reading, buffer.Span, write: false);
            if (count >= 0)
            {
                return (int)count;
            }

            await WaitOrThrowAsync(_reading, LibC.EPOLLIN, errno, "read", cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            (long count, int errno) = Transfer(_writing, buffer.Span, write: true);
            if (count >= 0)
            {
                buffer = buffer[(int)count..];
            }
            else
            {
                await WaitOrThrowAsync(_writing, LibC.EPOLLOUT, errno, "send", cancellationToken);
            }
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
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is asynchronous only.");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is asynchronous only.");

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_closed.IsCancellationRequested)
        {
            _closed.Cancel();
            _writing.Dispose();
            _reading.Dispose();
        }

        base.Dispose(disposing);
    }

    private static unsafe (long Count, int Errno) Transfer(SafeFileHandle handle, ReadOnlySpan<byte> bytes, bool write)
    {
        bool referenced = false;
        handle.DangerousAddRef(ref referenced); // ObjectDisposedException once the stream is closed
        try
        {
            fixed (byte* start = bytes)
            {
                int descriptor = (int)handle.DangerousGetHandle();
                long count = (long)(write
                    ? LibC.send(descriptor, start, bytes.Length, LibC.MSG_NOSIGNAL)
                    : LibC.read(descriptor, start, bytes.Length));
                return (count, count < 0 ? LibC.errno : 0);
            }
        }
        finally
        {
            handle.DangerousRelease();
        }
    }

    private async Task WaitOrThrowAsync(SafeFileHandle handle, int events, int errno, string call, CancellationToken cancellationToken)
    {
        if (errno == LibC.EINTR)
        {
            return;
        }

        if (errno != LibC.EAGAIN)
        {
            throw new IOException($"{call} on {_subject} failed: {Errno.Describe(errno)}", new HostException(call, _subject, errno));
        }

        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closed.Token);
        try
        {
            await WaitReadyAsync(handle, events, either.Token);
        }
        catch (OperationCanceledException) when (_closed.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ObjectDisposedException(_subject, "The stream was closed while waiting.");
        }
    }
}
