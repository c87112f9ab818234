using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Takes the calling thread into a file system of few things (pivot_root(2)). Only for threads with a mount namespace of their own.</summary>
internal static unsafe class ClosedRoot
{
    /// <summary>Where the new root is put together. What lies below it is taken before it is covered.</summary>
    private const string Place = "/tmp";

    private static readonly string[] Programs = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache"];
    private static readonly string[] HarmlessDevices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

    /// <summary>Enters it.</summary>
    /// <param name="root">What is in it.</param>
    /// <param name="program">The program that will be run: its folder is in it too.</param>
    /// <exception cref="HostException">Names the step that failed.</exception>
    internal static void Enter(ChildRoot root, string program)
    {
        List<(BindMount Mount, string Target)> mounts = [];
        List<(string Target, string Path)> links = [];
        try
        {
            foreach (string path in Programs)
            {
                TakeProgram(path, mounts, links);
            }

            if (!Programs.Any(path => program.StartsWith(path + "/", StringComparison.Ordinal)))
            {
                string folder = Path.GetDirectoryName(program)!;
                mounts.Add((BindMount.Take(folder, followsHost: false, readOnly: true), folder));
            }

            mounts.AddRange(HarmlessDevices.Concat(root.Devices).Where(File.Exists).Select(path => (BindMount.Take(path, followsHost: false), path)));
            mounts.AddRange(root.Folders.Select(folder => (BindMount.Take(folder.Source, followsHost: true), folder.Target)));
            Build(mounts, links);
        }
        finally
        {
            mounts.ForEach(mount => mount.Mount.Dispose());
        }

        Pivot();
    }

    /// <summary>On most hosts /lib and its like are links into /usr.</summary>
    private static void TakeProgram(string path, List<(BindMount Mount, string Target)> mounts, List<(string Target, string Path)> links)
    {
        var entry = new FileInfo(path);
        if (entry.LinkTarget is { } target)
        {
            links.Add((target, path));
        }
        else if (entry.Exists || Directory.Exists(path))
        {
            mounts.Add((BindMount.Take(path, followsHost: false, readOnly: true), path));
        }
    }

    private static void Build(List<(BindMount Mount, string Target)> mounts, List<(string Target, string Path)> links)
    {
        Mount("tmpfs", Place, "tmpfs", LibC.MS_NOSUID | LibC.MS_NOEXEC, "mode=0755,size=1m,nr_inodes=256");
        foreach ((string target, string path) in links)
        {
            File.CreateSymbolicLink(Place + path, target);
        }

        foreach ((BindMount mount, string target) in mounts)
        {
            string path = Place + target;
            if (mount.IsFolder)
            {
                Directory.CreateDirectory(path);
            }
            else
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                MakeFile(path);
            }

            mount.AttachTo(path);
        }

        // Of its own processes alone, and nothing of the kernel's: descriptors are named by way of /proc/self.
        Directory.CreateDirectory(Place + "/proc");
        Mount("proc", Place + "/proc", "proc", LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOEXEC | LibC.MS_RDONLY, "subset=pid");
        Mount("tmpfs", Place, null, LibC.MS_REMOUNT | LibC.MS_BIND | LibC.MS_RDONLY | LibC.MS_NOSUID | LibC.MS_NOEXEC, null);
    }

    /// <summary>
    /// Makes a file without opening it. What is open for writing keeps the file system from becoming read-only, and what was closed is still open in every
    /// child that the daemon forked a moment before and that has not come to its exec.
    /// </summary>
    private static void MakeFile(string path)
    {
        const int RegularFile = 0x8000 | 0x1a4; // S_IFREG | 0644, mknod(2)
        fixed (byte* name = Native.ZeroTerminated(path))
        {
            Native.Check(LibC.mknod(name, RegularFile, 0), "mknod", path);
        }
    }

    /// <summary>pivot_root(".", ".") puts the old root over the new one, from where it is taken away, pivot_root(2).</summary>
    private static void Pivot()
    {
        fixed (byte* place = Native.ZeroTerminated(Place), here = ".\0"u8, top = "/\0"u8)
        {
            Native.Check(LibC.chdir(place), "chdir", Place);
            Native.Check((int)(long)LibC.syscall(NativeMethods.SyscallPivotRoot, here, here), "pivot_root", Place, "the host's root must be a mount, not an initramfs");
            Native.Check(LibC.umount2(here, LibC.MNT_DETACH), "umount2", "the old root");
            Native.Check(LibC.chdir(top), "chdir", "/");
        }
    }

    private static void Mount(string source, string target, string? type, ulong_t flags, string? options)
    {
        fixed (byte* from = Native.ZeroTerminated(source), to = Native.ZeroTerminated(target), kind = Native.ZeroTerminated(type ?? ""), data = Native.ZeroTerminated(options ?? ""))
        {
            Native.Check(LibC.mount(from, to, type is null ? null : kind, flags, options is null ? null : data), "mount", target);
        }
    }
}
