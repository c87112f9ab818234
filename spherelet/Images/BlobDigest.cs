using System.Buffers;
using System.Security.Cryptography;

namespace Vks.Spherelet.Images;

/// <summary>Digests of blobs as OCI writes them: <c>sha256:</c> and 64 lower-case hex digits.</summary>
internal static class BlobDigest
{
    private const string Prefix = "sha256:";

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>The text is such a digest; only then is <see cref="Hex"/> safe in a path.</summary>
    public static bool IsValid(string? text) =>
        text is { Length: 71 } && text.StartsWith(Prefix, StringComparison.Ordinal) && IsHex(text.AsSpan(Prefix.Length));

    /// <summary>Only lower-case hex digits.</summary>
    public static bool IsHex(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(HexDigits);

    /// <summary>The hex digits of a valid digest.</summary>
    public static string Hex(string digest) => digest[Prefix.Length..];

    /// <summary>The digest of bytes in memory.</summary>
    public static string Of(ReadOnlySpan<byte> content) => FromHash(SHA256.HashData(content));

    /// <summary>A finished hash as digest.</summary>
    public static string FromHash(ReadOnlySpan<byte> hash) => Prefix + Convert.ToHexStringLower(hash);

    /// <summary>The digest of a file.</summary>
    public static async Task<string> OfFileAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 17, useAsync: false);
        return FromHash(await SHA256.HashDataAsync(file, cancellationToken));
    }
}
