using System.IO.Pipelines;

namespace Vks.Tests.Kit;

/// <summary>A duplex stream in memory with the back pressure of a socket: 64 KiB each way.</summary>
internal sealed class FakeAgentWire : Stream
{
    private readonly Stream _in;
    private readonly Stream _out;

    private FakeAgentWire(PipeReader input, PipeWriter output) => (_in, _out) = (input.AsStream(), output.AsStream());

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Two ends; what one writes the other reads. Disposing one ends the other's reading.</summary>
    public static (FakeAgentWire Host, FakeAgentWire Guest) CreatePair()
    {
        var up = new Pipe();
        var down = new Pipe();
        return (new FakeAgentWire(up.Reader, down.Writer), new FakeAgentWire(down.Reader, up.Writer));
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _in.ReadAsync(buffer, cancellationToken);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await _out.WriteAsync(buffer, cancellationToken);
        }
        catch (InvalidOperationException exception)
        {
            throw new IOException("The wire is cut.", exception);
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _in.Dispose();
        _out.Dispose();
        base.Dispose(disposing);
    }
}
