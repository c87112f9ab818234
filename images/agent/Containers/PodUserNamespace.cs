using System.Text.Json;
using Vks.Agent.Host;
using Vks.Agent.Personality;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>The process whose user and PID namespaces the pod's containers join.</summary>
/// <param name="Pid">In the guest.</param>
/// <param name="Map">What the namespace's ids are in the guest.</param>
internal sealed record UserNamespaceHolder(int Pid, GuestUserNamespace Map)
{
    /// <summary>The user namespace's file.</summary>
    internal string UserPath => $"/proc/{Pid}/ns/user";

    /// <summary>The PID namespace's file. The user namespace owns it, else no container could mount /proc.</summary>
    internal string PidPath => $"/proc/{Pid}/ns/pid";
}

/// <summary>
/// The user namespace that the pod's containers share, with a PID namespace of its own. A process that does nothing but reap holds both;
/// crun starts it, since the kernel lets no program with threads make a user namespace.
/// </summary>
internal sealed class PodUserNamespace(Crun crun, PodPersonality personality)
{
    private const string Id = "pod";
    private const string Folder = "/run/vks/pod";
    private const string Program = PodPidNamespace.HolderProgram;
    private readonly Lock _lock = new();
    private Task<UserNamespaceHolder>? _holder;

    /// <summary>Gives the holder, starting it first if it does not run; null when the pod's containers live in the guest's user namespace.</summary>
    internal async Task<UserNamespaceHolder?> HolderAsync()
    {
        if (personality.UserNamespace is not { } map)
        {
            return null;
        }

        Task<UserNamespaceHolder> holder;
        lock (_lock)
        {
            if (_holder is null or { IsFaulted: true })
            {
                _holder = StartAsync(map);
            }

            holder = _holder;
        }

        return await holder;
    }

    /// <summary>The holder's config.json. Pure.</summary>
    internal static OciConfig Config(GuestUserNamespace map) => new()
    {
        Process = new OciProcess
        {
            User = new OciUser(0, 0, []),
            Args = [Program, PodPidNamespace.HolderVerb],
            Env = [],
            Cwd = "/",
            NoNewPrivileges = true,
        },
        Root = new OciRoot("rootfs", false),
        Mounts =
        [
            new OciMount("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            new OciMount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "mode=755", "size=64k"]),
            // The flags of the mount it lies on: a user namespace may not take them off.
            new OciMount(Program, "bind", Program, ["bind", "ro", "nosuid", "nodev"]),
        ],
        Linux = new OciLinux
        {
            Namespaces = [new OciNamespace("user"), new OciNamespace("mount"), new OciNamespace("pid")],
            UidMappings = OciIdMapping.Of(map.Uids),
            GidMappings = OciIdMapping.Of(map.Gids),
            CgroupsPath = "/vks/" + Id,
            Resources = new OciResources(),
        },
    };

    private async Task<UserNamespaceHolder> StartAsync(GuestUserNamespace map)
    {
        string root = Path.Combine(Folder, "rootfs");
        Directory.CreateDirectory(root);
        if (Libc.ChangeOwner(root, map.Uids.First, map.Gids.First) != 0)
        {
            throw SystemError.Last($"Giving {root} to the pod's root");
        }

        await File.WriteAllBytesAsync(Path.Combine(Folder, "config.json"), JsonSerializer.SerializeToUtf8Bytes(Config(map), OciJson.Default.OciConfig));
        string pidFile = Path.Combine(Folder, "pid");
        await crun.RunAsync(
            Path.Combine(Folder, "crun.log"), ["run", "--detach", "--bundle", Folder, "--pid-file", pidFile, Id], "Making the pod's user namespace");
        return new UserNamespaceHolder(Crun.ReadPid(pidFile), map);
    }
}
