using System.Text;
using Vks.Agent.Boot;
using Vks.Agent.Channel;
using Vks.Agent.Disks;
using Vks.Agent.Host;
using Vks.Agent.Network;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Personality;

/// <summary>Makes this guest one pod: clock, entropy, names, network, kernel parameters, disks.</summary>
internal sealed class PodPersonality(Scratch scratch, Share share)
{
    private const string Folder = "/run/vks/etc";
    private readonly Lock _lock = new();
    private bool _configured;

    /// <summary>Content of /etc/hosts, or null.</summary>
    internal string? Hosts { get; private set; }

    /// <summary>The files every container gets, by their path in the container.</summary>
    internal IReadOnlyList<(string Source, string Destination)> Files { get; private set; } = [];

    /// <summary>The user namespace all containers live in, or null for the guest's own.</summary>
    internal GuestUserNamespace? UserNamespace { get; private set; }

    /// <summary>Applies the personality. Clock and entropy come first: everything after may depend on them.</summary>
    /// <exception cref="AgentException">WrongState: it was applied before; InvalidRequest; Failed with the kernel's words.</exception>
    internal async Task ApplyAsync(GuestPersonality personality, CancellationToken cancellationToken)
    {
        Check(personality);
        lock (_lock)
        {
            if (_configured)
            {
                throw new AgentException(GuestFault.WrongState, "This guest already has its personality; a guest is one pod only.");
            }

            _configured = true;
        }

        try
        {
            UserNamespace = personality.UserNamespace;
            Clock.Set(personality.WallClockUnixNanoseconds);
            Entropy.Credit(personality.Entropy, personality.Entropy.Length);
            SetNames(personality);
            Interfaces.Configure(personality);
            Sysctls.Write(personality.Sysctls);
            ResizeShm(personality.ShmBytes);
            share.Configure(personality.ShareTag);
            await scratch.MountAsync(personality.ScratchDisk, cancellationToken);
            if (personality.Rehearsal)
            {
                Interfaces.Withdraw(personality);
                lock (_lock)
                {
                    _configured = false;
                }
            }
        }
        catch
        {
            lock (_lock)
            {
                _configured = false;
            }

            throw;
        }
    }

    private static void Check(GuestPersonality personality)
    {
        if (personality.Hostname.Length == 0 || Encoding.UTF8.GetByteCount(personality.Hostname) > 63)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"The host name '{personality.Hostname}' is not 1 to 63 bytes long.");
        }

        if (personality.Entropy.Length < 32)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"{personality.Entropy.Length} bytes of entropy are too few: at least 32 are needed.");
        }

        foreach (IdRange? range in (IdRange?[])[personality.UserNamespace?.Uids, personality.UserNamespace?.Gids])
        {
            if (range is not null && (range.Length == 0 || (ulong)range.First + range.Length > uint.MaxValue))
            {
                throw new AgentException(GuestFault.InvalidRequest, $"{range.Length} ids from {range.First} on cannot be those of a user namespace.");
            }
        }

        if (personality.MachineId.Length != 32 || !personality.MachineId.All(char.IsAsciiHexDigitLower))
        {
            throw new AgentException(GuestFault.InvalidRequest, $"The machine id '{personality.MachineId}' is not 32 lower-case hex digits.");
        }
    }

    private unsafe void SetNames(GuestPersonality personality)
    {
        byte[] name = Encoding.UTF8.GetBytes(personality.Hostname);
        fixed (byte* start = name)
        {
            if (Libc.SetHostName(start, (nuint)name.Length) != 0)
            {
                throw SystemError.Last($"Setting the host name to '{personality.Hostname}'");
            }
        }

        Directory.CreateDirectory("/etc");
        Directory.CreateDirectory(Folder);
        File.WriteAllText("/etc/machine-id", personality.MachineId + "\n");
        var files = new List<(string, string)>();
        Put("hostname", personality.Hostname + "\n");
        Put("hosts", personality.Hosts);
        Put("resolv.conf", personality.ResolvConf);
        Hosts = personality.Hosts;
        Files = files;

        void Put(string file, string? content)
        {
            if (content is not null)
            {
                string path = Path.Combine(Folder, file);
                File.WriteAllText(path, content);
                if (personality.UserNamespace is { } map && Libc.ChangeOwner(path, map.Uids.First, map.Gids.First) != 0)
                {
                    throw SystemError.Last($"Giving {path} to the pod's root");
                }

                files.Add((path, "/etc/" + file));
            }
        }
    }

    private static void ResizeShm(long bytes)
    {
        if (bytes > 0
            && Libc.Mount("shm", "/dev/shm", "tmpfs", Constants.MsRemount | Constants.MsNoSuid | Constants.MsNoDev | Constants.MsNoExec, $"mode=1777,size={bytes}") != 0)
        {
            throw SystemError.Last($"Setting the size of /dev/shm to {bytes} bytes");
        }
    }
}
