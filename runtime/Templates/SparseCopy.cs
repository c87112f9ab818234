using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Host;

namespace Vks.Runtime.Templates;

/// <summary>Copies and hashes a guest's memory by its pages that hold something.</summary>
internal static class SparseCopy
{
    private const int PageBytes = 4096;
    private const int ChunkBytes = 256 * PageBytes;

    /// <summary>Copies the pages that are not all zeros; the others become holes.</summary>
    /// <param name="source">A guest's memory that nobody writes to.</param>
    /// <param name="target">An empty file.</param>
    /// <param name="cancellationToken">Ends the work; a part may be written.</param>
    /// <returns>Bytes copied.</returns>
    internal static long Copy(SafeFileHandle source, SafeFileHandle target, CancellationToken cancellationToken)
    {
        RandomAccess.SetLength(target, RandomAccess.GetLength(source));
        long copied = 0;
        ForEachChunk(source, "a guest's memory", (offset, bytes) =>
        {
            int start = 0;
            while (start < bytes.Length)
            {
                int end = start;
                while (end < bytes.Length && bytes.Slice(end, Math.Min(PageBytes, bytes.Length - end)).ContainsAnyExcept((byte)0))
                {
                    end = Math.Min(end + PageBytes, bytes.Length);
                }

                if (end > start)
                {
                    RandomAccess.Write(target, bytes[start..end], offset + start);
                    copied += end - start;
                }

                start = end + PageBytes;
            }
        }, cancellationToken);
        return copied;
    }

    /// <summary>SHA-256 over the pages that are not all zeros, each after its offset, so that where a file has holes makes no difference.</summary>
    internal static string Hash(SafeFileHandle file, string path, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(number, RandomAccess.GetLength(file));
        hash.AppendData(number);
        ForEachChunk(file, path, (offset, bytes) =>
        {
            Span<byte> position = stackalloc byte[sizeof(long)];
            for (int start = 0; start < bytes.Length; start += PageBytes)
            {
                ReadOnlySpan<byte> page = bytes.Slice(start, Math.Min(PageBytes, bytes.Length - start));
                if (page.ContainsAnyExcept((byte)0))
                {
                    BinaryPrimitives.WriteInt64LittleEndian(position, offset + start);
                    hash.AppendData(position);
                    hash.AppendData(page);
                }
            }
        }, cancellationToken);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private delegate void Chunk(long offset, ReadOnlySpan<byte> bytes);

    private static void ForEachChunk(SafeFileHandle file, string path, Chunk take, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            foreach ((long offset, long length) in HostFile.DataExtents(file, path))
            {
                for (long done = 0; done < length;)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    int count = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(ChunkBytes, length - done)), offset + done);
                    if (count == 0)
                    {
                        throw new IOException($"{path} ended while it was read.");
                    }

                    take(offset + done, buffer.AsSpan(0, count));
                    done += count;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
