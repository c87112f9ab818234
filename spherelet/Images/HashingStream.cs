using System.Security.Cryptography;

namespace Vks.Spherelet.Images;

/// <summary>A read-only stream that hashes what goes through it, and stops at a limit.</summary>
internal sealed class HashingStream(Stream source, long maxBytes) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _position;

    /// <summary>The digest of all read so far; ends the hashing.</summary>
    public string FinishDigest() => BlobDigest.FromHash(_hash.GetHashAndReset());

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int read = await source.ReadAsync(buffer, cancellationToken);
        return Account(buffer.Span[..read]);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Account(buffer.AsSpan(offset, source.Read(buffer, offset, count)));

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
            source.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Account(ReadOnlySpan<byte> read)
    {
        _hash.AppendData(read);
        _position += read.Length;
        return _position <= maxBytes
            ? read.Length
            : throw new LayerFormatException($"The layer is larger than {maxBytes >> 20} MiB when unpacked, the most that this host takes.");
    }
}
