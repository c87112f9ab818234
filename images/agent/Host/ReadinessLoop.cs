using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>One thread in epoll_wait that tells the owners of descriptors when something about them changed.</summary>
/// <remarks>
/// Edge-triggered on purpose: a virtio-serial port whose host is away is hung up all the time, and a level-triggered wait would
/// spin on it. The kernel wakes the port's queue when the host connects, when data comes and when space is made, so an edge comes
/// with each.
/// </remarks>
internal sealed unsafe class ReadinessLoop
{
    private readonly int _epoll;
    private readonly ConcurrentDictionary<int, Readiness> _watched = new();

    /// <summary>Starts the thread.</summary>
    /// <exception cref="IOException">The kernel gave no epoll descriptor.</exception>
    public ReadinessLoop()
    {
        _epoll = ChannelNative.EpollCreate(ChannelNative.CloseOnExec);
        if (_epoll < 0)
        {
            throw ChannelNative.Failure("epoll_create1");
        }

        new Thread(Run) { IsBackground = true, Name = "channel" }.Start();
    }

    /// <summary>Watches a descriptor until <see cref="Remove"/>.</summary>
    public Readiness Add(int fd)
    {
        Readiness readiness = _watched[fd] = new Readiness();
        var entry = new ChannelNative.EpollEntry
        {
            Events = ChannelNative.EventIn | ChannelNative.EventOut | ChannelNative.EventEdge,
            Data = (ulong)fd,
        };
        return ChannelNative.EpollControl(_epoll, ChannelNative.EpollAdd, fd, &entry) == 0
            ? readiness
            : throw ChannelNative.Failure($"epoll_ctl for descriptor {fd}");
    }

    /// <summary>Forgets a descriptor; to be called before it is closed.</summary>
    public void Remove(int fd)
    {
        ChannelNative.EpollEntry unused = default;
        _ = ChannelNative.EpollControl(_epoll, ChannelNative.EpollRemove, fd, &unused);
        if (_watched.TryRemove(fd, out Readiness? readiness))
        {
            readiness.Pulse();
        }
    }

    private void Run()
    {
        const int Most = 16;
        ChannelNative.EpollEntry* entries = stackalloc ChannelNative.EpollEntry[Most];
        while (true)
        {
            int count = ChannelNative.EpollWait(_epoll, entries, Most, -1);
            if (count < 0 && Marshal.GetLastPInvokeError() != ChannelNative.ErrorInterrupted)
            {
                throw ChannelNative.Failure("epoll_wait");
            }

            for (int index = 0; index < count; index++)
            {
                if (_watched.TryGetValue((int)entries[index].Data, out Readiness? readiness))
                {
                    readiness.Pulse();
                }
            }
        }
    }
}
