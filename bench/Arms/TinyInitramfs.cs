using System.Globalization;
using System.Text;

namespace Vks.Bench.Arms;

/// <summary>An initial file system (cpio, newc) whose <c>/init</c> is a <see cref="TinyProgram"/>.</summary>
internal static class TinyInitramfs
{
    /// <summary>Writes it.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="init">The program.</param>
    /// <param name="below">An archive whose files come first, so that only <c>/init</c> differs from it; null for none.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task WriteAsync(string path, byte[] init, string? below, CancellationToken cancellationToken)
    {
        using MemoryStream archive = new();
        if (below is not null)
        {
            // The kernel unpacks one archive after the other; a later file replaces an earlier one of its name.
            archive.Write(await File.ReadAllBytesAsync(below, cancellationToken));
            Pad(archive);
        }

        Entry(archive, "dev", 0x41ed, []);
        Entry(archive, "dev/console", 0x2180, [], major: 5, minor: 1);
        Entry(archive, "init", 0x81ed, init);
        Entry(archive, "TRAILER!!!", 0, []);
        await File.WriteAllBytesAsync(path, archive.ToArray(), cancellationToken);
    }

    // "070701" and 13 fields of 8 hex digits: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check.
    private static void Entry(MemoryStream archive, string name, int mode, ReadOnlySpan<byte> content, int major = 0, int minor = 0)
    {
        int[] fields = [(int)archive.Length, mode, 0, 0, 1, 0, content.Length, 0, 0, major, minor, name.Length + 1, 0];
        archive.Write(Encoding.ASCII.GetBytes("070701" + string.Concat(fields.Select(static field => field.ToString("x8", CultureInfo.InvariantCulture))) + name + '\0'));
        Pad(archive);
        archive.Write(content);
        Pad(archive);
    }

    private static void Pad(MemoryStream archive) => archive.Write(new byte[(4 - (archive.Length % 4)) % 4]);
}
