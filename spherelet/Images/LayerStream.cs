using System.IO.Compression;

namespace Vks.Spherelet.Images;

/// <summary>Opens a layer's blob as the tar stream in it.</summary>
internal static class LayerStream
{
    /// <summary>Opens gzip, zstd or plain tar, told apart by their first bytes: media types in the wild are often wrong.</summary>
    public static async Task<Stream> OpenAsync(string blobPath, CancellationToken cancellationToken)
    {
        FileStream file = new(blobPath, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 17, FileOptions.SequentialScan);
        try
        {
            byte[] magic = new byte[4];
            int got = await file.ReadAtLeastAsync(magic, magic.Length, throwOnEndOfStream: false, cancellationToken);
            file.Position = 0;
            return magic switch
            {
                [0x1f, 0x8b, ..] when got >= 2 => new GZipStream(file, CompressionMode.Decompress),
                // A frame, or one of the skippable frames that chunked zstd begins with.
                [0x28, 0xb5, 0x2f, 0xfd] or [>= 0x50 and <= 0x5f, 0x2a, 0x4d, 0x18] =>
                    new ZstdSharp.DecompressionStream(file, leaveOpen: false),
                _ => file,
            };
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>The exception is the decompressor's or parser's word on a layer's bytes, not on this host.</summary>
    public static bool IsFormatFault(Exception exception) =>
        exception is LayerFormatException or InvalidDataException or ZstdSharp.ZstdException or EndOfStreamException;
}
