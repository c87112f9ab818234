using System.Buffers;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Vks.Spherelet.Nri;

/// <summary>Whole ttrpc messages on one stream of a trunk.</summary>
/// <remarks>By hand: no package speaks ttrpc to .NET. Only calls with one request and one response are known, which are all that NRI has.</remarks>
internal sealed class TtrpcWire(NriTrunk trunk, uint stream)
{
    /// <summary>
    /// Plugins written in Go read through a buffer of this size, and cannot take a frame of which their read has room for a part only: a
    /// message's first bytes must come in a frame of at most this many, all the others in a second one.
    /// </summary>
    private const int FirstFrameBytes = 4096;

    private readonly PipeReader _input = trunk.Input(stream);

    /// <summary>Reads one message, or null at the end of the connection.</summary>
    /// <exception cref="TtrpcException">What came is no message.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<(TtrpcHeader Header, byte[] Payload)?> ReadAsync(CancellationToken cancellationToken)
    {
        ReadResult read = await _input.ReadAtLeastAsync(TtrpcHeader.Size, cancellationToken);
        if (read.Buffer.Length < TtrpcHeader.Size)
        {
            return null;
        }

        TtrpcHeader header = TtrpcHeader.Read(read.Buffer.Slice(0, TtrpcHeader.Size).ToArray());
        _input.AdvanceTo(read.Buffer.GetPosition(TtrpcHeader.Size));
        if (header.Length == 0)
        {
            return (header, []);
        }

        read = await _input.ReadAtLeastAsync(header.Length, cancellationToken);
        if (read.Buffer.Length < header.Length)
        {
            return null;
        }

        byte[] payload = read.Buffer.Slice(0, header.Length).ToArray();
        _input.AdvanceTo(read.Buffer.GetPosition(header.Length));
        return (header, payload);
    }

    /// <summary>Writes one message.</summary>
    /// <exception cref="TtrpcException"><see cref="TtrpcCode.Internal"/>: it is too long.</exception>
    /// <exception cref="IOException">The connection is closed.</exception>
    public async Task WriteAsync(uint call, TtrpcKind kind, IMessage message, CancellationToken cancellationToken)
    {
        int length = message.CalculateSize();
        if (length > TtrpcHeader.MostBytes)
        {
            throw new TtrpcException(TtrpcCode.Internal, $"a message of {length} bytes is too long; at most {TtrpcHeader.MostBytes} can be sent", isFatal: false);
        }

        var bytes = new byte[TtrpcHeader.Size + length];
        new TtrpcHeader(length, call, kind, kind == TtrpcKind.Request ? TtrpcHeader.NoMore : (byte)0).Write(bytes);
        message.WriteTo(bytes.AsSpan(TtrpcHeader.Size));
        int first = Math.Min(bytes.Length, FirstFrameBytes);
        await trunk.WriteAsync(stream, bytes.AsMemory(0, first), cancellationToken);
        if (first < bytes.Length)
        {
            await trunk.WriteAsync(stream, bytes.AsMemory(first), cancellationToken);
        }
    }
}
