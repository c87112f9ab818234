using System.Buffers.Text;
using System.Security.Cryptography;

namespace Vks.Spherelet.Streaming;

/// <summary>Hands out secrets that stand for one request each: good once, and not for long. Safe to use from many threads.</summary>
internal sealed class StreamingTokens(TimeProvider time)
{
    /// <summary>How long a token is good.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    /// <summary>Most tokens out at once; a caller that never connects must not fill the memory.</summary>
    public const int MaxOutstanding = 1000;

    private const int TokenBytes = 32;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Makes a token.</summary>
    /// <returns>The token, safe in a path; null when <see cref="MaxOutstanding"/> are out.</returns>
    public string? TryIssue(StreamRequest request)
    {
        string token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));
        DateTimeOffset now = time.GetUtcNow();
        lock (_lock)
        {
            if (_entries.Count >= MaxOutstanding)
            {
                foreach (string old in _entries.Where(entry => entry.Value.Expires <= now).Select(entry => entry.Key).ToArray())
                {
                    _entries.Remove(old);
                }
            }

            if (_entries.Count >= MaxOutstanding)
            {
                return null;
            }

            _entries[token] = new Entry(request, now + Lifetime);
            return token;
        }
    }

    /// <summary>Takes a token back; from then on it is worthless.</summary>
    /// <returns>What it stood for, or null when it was never given out, used before, or is too old.</returns>
    public StreamRequest? Redeem(string token)
    {
        lock (_lock)
        {
            return _entries.Remove(token, out Entry? entry) && entry.Expires > time.GetUtcNow() ? entry.Request : null;
        }
    }

    private sealed record Entry(StreamRequest Request, DateTimeOffset Expires);
}
