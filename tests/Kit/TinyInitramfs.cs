using System.Globalization;
using System.Text;

namespace Vks.Tests.Kit;

/// <summary>An initial file system of nothing but busybox and a shell on the console, for tests of what lies below the agent.</summary>
internal static class TinyInitramfs
{
    private const string Init = """
        #!/bin/sh
        mkdir -p /proc /sys /dev
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        exec </dev/hvc0 >/dev/hvc0 2>&1
        stty -echo
        echo guest-ready
        while read -r line; do eval "$line"; echo "done-$?"; done
        reboot -f
        """;

    private static readonly string[] Applets =
        ["sh", "mkdir", "mount", "stty", "cat", "echo", "nproc", "ls", "dd", "md5sum", "reboot", "ip", "ifconfig", "uname", "sleep", "grep", "date", "usleep"];

    /// <summary>Writes it as an uncompressed cpio archive (newc).</summary>
    public static async Task WriteAsync(string path, CancellationToken cancellationToken)
    {
        byte[] busybox = await File.ReadAllBytesAsync("/bin/busybox", cancellationToken);
        using MemoryStream archive = new();
        Entry(archive, "bin", 0x41ed, []);
        Entry(archive, "dev", 0x41ed, []);
        Entry(archive, "dev/console", 0x2180, [], major: 5, minor: 1);
        Entry(archive, "bin/busybox", 0x81ed, busybox);
        foreach (string applet in Applets)
        {
            Entry(archive, $"bin/{applet}", 0xa1ff, "busybox"u8);
        }

        Entry(archive, "init", 0x81ed, Encoding.UTF8.GetBytes(Init.ReplaceLineEndings("\n") + "\n"));
        Entry(archive, "TRAILER!!!", 0, []);
        await File.WriteAllBytesAsync(path, archive.ToArray(), cancellationToken);
    }

    // "070701" and 13 fields of 8 hex digits: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check.
    private static void Entry(MemoryStream archive, string name, int mode, ReadOnlySpan<byte> content, int major = 0, int minor = 0)
    {
        int[] fields = [(int)archive.Length, mode, 0, 0, 1, 0, content.Length, 0, 0, major, minor, name.Length + 1, 0];
        archive.Write(Encoding.ASCII.GetBytes("070701" + string.Concat(fields.Select(field => field.ToString("x8", CultureInfo.InvariantCulture))) + name + '\0'));
        Pad(archive);
        archive.Write(content);
        Pad(archive);
    }

    private static void Pad(MemoryStream archive) => archive.Write(new byte[(4 - (archive.Length % 4)) % 4]);
}
