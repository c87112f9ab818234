using System.Globalization;
using System.Security.Cryptography;

namespace Vks.Runtime.Templates;

/// <summary>Looks at the files and the host that templates depend on. Files are hashed again only when they have changed.</summary>
internal sealed class TemplateInputs(string qemu, string kernel, string initramfs, string host, Func<string> rehearsal)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Stamp, string Hash)> _hashes = new(StringComparer.Ordinal);

    /// <summary>The host's processor, kernel and counter, in words.</summary>
    /// <param name="tscKHz">Rate of the time stamp counter, or null.</param>
    internal static string DescribeHost(long? tscKHz)
    {
        string[] wanted = ["vendor_id", "cpu family", "model", "stepping", "model name", "microcode", "flags"];
        IEnumerable<string> processor = File.ReadLines("/proc/cpuinfo").TakeWhile(static line => line.Length > 0)
            .Where(line => wanted.Contains(line.Split(':')[0].Trim()));
        return string.Create(CultureInfo.InvariantCulture, $"{string.Join('\n', processor)}\n{File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}\n{tscKHz}");
    }

    /// <summary>The key of a template of that shape, by the files as they are now. Hashes files that were not seen yet, some 10 ms each.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    internal TemplateKey KeyOf(TemplateShape shape, string arguments) => new(shape, arguments, Stamp(qemu), HashOf(kernel), HashOf(initramfs), host, rehearsal());

    private string HashOf(string path)
    {
        string stamp = Stamp(path);
        lock (_lock)
        {
            if (_hashes.TryGetValue(path, out (string Stamp, string Hash) known) && known.Stamp == stamp)
            {
                return known.Hash;
            }

            using FileStream file = File.OpenRead(path);
            string hash = Convert.ToHexStringLower(SHA256.HashData(file));
            _hashes[path] = (stamp, hash);
            return hash;
        }
    }

    private static string Stamp(string path)
    {
        var file = new FileInfo(path);
        return string.Create(CultureInfo.InvariantCulture, $"{path} {file.Length} {file.LastWriteTimeUtc.Ticks}");
    }
}
