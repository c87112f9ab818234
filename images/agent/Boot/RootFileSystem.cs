using System.Globalization;
using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>Makes of an initramfs a root that programs expect.</summary>
internal static class RootFileSystem
{
    /// <summary>Where cgroup v2 is mounted.</summary>
    internal const string CgroupRoot = "/sys/fs/cgroup";

    private const ulong Plain = Constants.MsNoSuid | Constants.MsNoDev | Constants.MsNoExec;

    /// <summary>Puts a bind of the initramfs over it, so that pivot_root(2) finds a parent mount, then mounts the kernel's file systems.</summary>
    internal static void Prepare()
    {
        MakeMovable();
        MakeProgramsReadOnly();
        Mounts.Mount("proc", "/proc", "proc", Plain);
        Mounts.Mount("sysfs", "/sys", "sysfs", Plain);
        Mounts.Mount("devtmpfs", "/dev", "devtmpfs", Constants.MsNoSuid, "mode=0755");
        Mounts.Mount("devpts", "/dev/pts", "devpts", Constants.MsNoSuid | Constants.MsNoExec, "newinstance,ptmxmode=0666,mode=0620,gid=5");
        Mounts.Mount("shm", "/dev/shm", "tmpfs", Plain, "mode=1777,size=64m");
        Mounts.Mount("mqueue", "/dev/mqueue", "mqueue", Plain);
        Mounts.Mount("tmpfs", "/run", "tmpfs", Constants.MsNoSuid | Constants.MsNoDev, "mode=0755");
        Mounts.Mount("tmpfs", "/tmp", "tmpfs", Constants.MsNoSuid | Constants.MsNoDev, "mode=1777");
        Mounts.Mount("cgroup2", CgroupRoot, "cgroup2", Plain);
        LinkDescriptors();
    }

    /// <summary>Gives every controller the kernel has to the cgroups below <see cref="CgroupRoot"/>; a controller that refuses is skipped.</summary>
    internal static void EnableControllers(string cgroup)
    {
        string[] controllers = File.ReadAllText(Path.Combine(cgroup, "cgroup.controllers")).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        foreach (string controller in controllers)
        {
            try
            {
                File.WriteAllText(Path.Combine(cgroup, "cgroup.subtree_control"), "+" + controller);
            }
            catch (IOException exception)
            {
                Console.Log(string.Create(CultureInfo.InvariantCulture, $"cgroup controller {controller} cannot be given to {cgroup}: {exception.Message}"));
            }
        }
    }

    private static void MakeMovable()
    {
        const string Staging = "/run";
        Directory.CreateDirectory(Staging);
        if (Libc.Mount("/", Staging, null, Constants.MsBind, null) != 0
            || Libc.ChangeDirectory(Staging) != 0
            || Libc.Mount(".", "/", null, Constants.MsMove, null) != 0
            || Libc.ChangeRoot(".") != 0
            || Libc.ChangeDirectory("/") != 0)
        {
            throw SystemError.Last("Moving the root onto a bind mount of itself");
        }
    }

    /// <summary>
    /// crun copies itself at each call unless its file is on a read-only mount, since a container could otherwise write to it. The copy has
    /// new pages, and a guest under TCG translates all of it again: 152 ms of CPU an exec instead of 19.
    /// </summary>
    private static void MakeProgramsReadOnly()
    {
        const string Programs = "/usr/bin";
        Mounts.Mount(Programs, Programs, "", Constants.MsBind);
        Mounts.Mount("", Programs, "", Constants.MsBind | Constants.MsRemount | Constants.MsReadOnly | Constants.MsNoSuid | Constants.MsNoDev);
    }

    /// <summary>devtmpfs has devices only; programs expect these names too.</summary>
    private static void LinkDescriptors()
    {
        _ = Libc.SymbolicLink("/proc/self/fd", "/dev/fd");
        _ = Libc.SymbolicLink("/proc/self/fd/0", "/dev/stdin");
        _ = Libc.SymbolicLink("/proc/self/fd/1", "/dev/stdout");
        _ = Libc.SymbolicLink("/proc/self/fd/2", "/dev/stderr");
    }
}
