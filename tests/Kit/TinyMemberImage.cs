using CliWrap;

namespace Vks.Tests.Kit;

/// <summary>A disk as machines of the machines API run from, with busybox in the place of a control plane: it takes its files, notes each of its starts on the persistent disk, and ends when told to.</summary>
internal static class TinyMemberImage
{
    private const string Program = """
        #!/bin/sh
        set -eu
        mount -t ext4 /dev/vks-member-data /var/lib/vks-member
        tar -x -C /var/lib/vks-member -f -
        echo "started with $1" >>/var/lib/vks-member/starts
        ip -o address show dev eth0 | awk '$3 == "inet" { print $4 }' >/var/lib/vks-member/addresses
        sync
        : >/run/vks-member-files
        trap 'echo ended >>/var/lib/vks-member/starts; exit 0' TERM
        while :; do sleep 1 & wait $!; done
        """;

    /// <summary>Writes it.</summary>
    /// <param name="folder">Where to; gets a scratch folder too.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <param name="versions">What it says of its programs; or nothing.</param>
    /// <returns>The disk.</returns>
    public static async Task<string> WriteAsync(string folder, CancellationToken cancellationToken, string? versions = null)
    {
        string root = Path.Combine(folder, "member-root");
        foreach (string name in new[] { "usr/bin", "usr/sbin", "dev", "proc", "sys", "run", "etc", "tmp", "var/lib/vks-member" })
        {
            Directory.CreateDirectory(Path.Combine(root, name));
        }

        File.Copy("/bin/busybox", Path.Combine(root, "usr/bin/busybox"));
        foreach (string applet in new[] { "sh", "mount", "tar", "sync", "sleep", "cat", "test", "ip", "awk" })
        {
            File.CreateSymbolicLink(Path.Combine(root, "usr/bin", applet), "busybox");
        }

        File.CreateSymbolicLink(Path.Combine(root, "bin"), "usr/bin");
        string program = Path.Combine(root, "usr/sbin/vks-member");
        await File.WriteAllTextAsync(program, Program, cancellationToken);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (versions is not null)
        {
            Directory.CreateDirectory(Path.Combine(root, "usr/lib/vks"));
            await File.WriteAllTextAsync(Path.Combine(root, "usr/lib/vks/versions.json"), versions, cancellationToken);
        }

        string disk = Path.Combine(folder, "member.sqfs");
        await Cli.Wrap("sh").WithArguments(["-c", "tar -C \"$0\" -cf - . | tar2sqfs -q -f \"$1\"", root, disk]).ExecuteAsync(cancellationToken);
        Directory.Delete(root, recursive: true);
        return disk;
    }
}
