using System.Buffers.Binary;

namespace Vks.Runtime.Templates;

/// <summary>The parts of a disk that are not zero as one run of bytes: offset and length of each (64 and 32 bits, little-endian), then its content.</summary>
internal static class DiskBlocks
{
    private const int HeaderBytes = sizeof(long) + sizeof(int);

    /// <summary>Writes them.</summary>
    internal static byte[] Pack(IReadOnlyList<DiskBlock> blocks)
    {
        var packed = new byte[blocks.Sum(static block => HeaderBytes + block.Bytes.Length)];
        Span<byte> rest = packed;
        foreach (DiskBlock block in blocks)
        {
            BinaryPrimitives.WriteInt64LittleEndian(rest, block.Offset);
            BinaryPrimitives.WriteInt32LittleEndian(rest[sizeof(long)..], block.Bytes.Length);
            block.Bytes.CopyTo(rest[HeaderBytes..]);
            rest = rest[(HeaderBytes + block.Bytes.Length)..];
        }

        return packed;
    }

    /// <summary>Reads them.</summary>
    /// <exception cref="InvalidDataException">It ends in the middle of one.</exception>
    internal static IReadOnlyList<DiskBlock> Unpack(ReadOnlySpan<byte> packed)
    {
        var blocks = new List<DiskBlock>();
        while (packed.Length > 0)
        {
            int length = packed.Length < HeaderBytes ? -1 : BinaryPrimitives.ReadInt32LittleEndian(packed[sizeof(long)..]);
            if (length < 0 || length > packed.Length - HeaderBytes)
            {
                throw new InvalidDataException("A disk's blocks end in the middle of one.");
            }

            blocks.Add(new DiskBlock(BinaryPrimitives.ReadInt64LittleEndian(packed), packed.Slice(HeaderBytes, length).ToArray()));
            packed = packed[(HeaderBytes + length)..];
        }

        return blocks;
    }
}
