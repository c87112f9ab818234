using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Disks;

/// <summary>The directory the host shares with the pod over virtio-9p, mounted when a container first needs it.</summary>
internal sealed class Share
{
    private const string Root = "/run/vks/share";
    private readonly Lock _lock = new();
    private string? _tag;
    private bool _mounted;

    /// <summary>Sets the mount tag; null when there is no share.</summary>
    internal void Configure(string? tag)
    {
        lock (_lock)
        {
            _tag = tag;
        }
    }

    /// <summary>Gives the guest's path of a path below the share.</summary>
    internal string Resolve(string path)
    {
        foreach (string part in path.Split('/'))
        {
            if (part == "..")
            {
                throw new AgentException(GuestFault.InvalidRequest, $"'{path}' leaves the share.");
            }
        }

        lock (_lock)
        {
            if (_tag is null)
            {
                throw new AgentException(GuestFault.WrongState, $"'{path}' lies on the share, but this pod has none (shareTag is not set).");
            }

            if (!_mounted)
            {
                // mmap: nothing is cached but what programs have mapped, without which they could not share a file in memory.
                Mounts.Mount(_tag, Root, "9p", Constants.MsNoDev, "trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=user");
                _mounted = true;
            }
        }

        return Path.Combine(Root, path.TrimStart('/'));
    }
}
