using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>A duplex stream over a non-blocking descriptor. Read gives 0 when the other end is gone.</summary>
/// <param name="fd">The descriptor.</param>
/// <param name="name">For messages.</param>
/// <param name="readiness">Its changes.</param>
/// <param name="release">Called once on disposal, after which no call touches the descriptor.</param>
internal sealed class DescriptorStream(int fd, string name, Readiness readiness, Action release) : Stream
{
    private readonly Lock _gate = new();
    private bool _closed;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task next = readiness.Next;
            nint count = TryRead(buffer.Span);
            if (count >= 0)
            {
                return (int)count;
            }

            await next.WaitAsync(cancellationToken);
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (buffer.Length > 0)
        {
            Task next = readiness.Next;
            nint count = TryWrite(buffer.Span);
            if (count < 0)
            {
                await next.WaitAsync(cancellationToken);
            }
            else
            {
                buffer = buffer[(int)count..];
            }
        }
    }

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Use ReadAsync.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Use WriteAsync.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            release();
        }

        // A write that waits for a host that is gone must not go on with the next one.
        readiness.Pulse();
        base.Dispose(disposing);
    }

    private unsafe nint TryRead(Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            lock (_gate)
            {
                return _closed ? 0 : Check(ChannelNative.Read(fd, bytes, buffer.Length), "read from");
            }
        }
    }

    private unsafe nint TryWrite(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            lock (_gate)
            {
                return _closed
                    ? throw new IOException($"{name} is closed.")
                    : Check(ChannelNative.Write(fd, bytes, buffer.Length), "write to");
            }
        }
    }

    private nint Check(nint result, string what) =>
        result >= 0 ? result
        : Marshal.GetLastPInvokeError() is ChannelNative.ErrorAgain ? -1
        : throw ChannelNative.Failure($"{what} {name}");
}
