using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Vks.Agent.Channel;

namespace Vks.Agent.Host;

/// <summary>One thread in epoll_wait(2) that tells the owners of non-blocking descriptors when something about them changed.</summary>
/// <remarks>
/// Edge-triggered on purpose: a virtio-serial port whose host is away is hung up all the time, and a level-triggered wait would spin
/// on it. The kernel wakes the port's queue when the host connects, when data comes and when space is made, so an edge comes with
/// each. A descriptor is added once; its owner waits only after a call said EAGAIN, and remembers earlier edges.
/// </remarks>
internal sealed unsafe class Poller
{
    private readonly int _epoll;
    private readonly ConcurrentDictionary<ulong, IWatched> _watched = new();
    private ulong _next;

    private Poller()
    {
        _epoll = Libc.EpollCreate(Constants.OpenCloseOnExec);
        if (_epoll < 0)
        {
            throw SystemError.Last("Making the epoll instance");
        }
    }

    /// <summary>The agent's only poller.</summary>
    internal static Poller Shared { get; } = new();

    /// <summary>Watches a descriptor until <see cref="Remove"/>, to which the result is the key.</summary>
    internal ulong Add(IWatched owner, int fd)
    {
        ulong key = Interlocked.Increment(ref _next);
        _watched[key] = owner;
        var settings = new EpollEvent
        {
            Events = Constants.EpollIn | Constants.EpollOut | Constants.EpollReadHangUp | Constants.EpollEdge,
            Data = key,
        };
        if (Libc.EpollControl(_epoll, Constants.EpollAdd, fd, &settings) != 0)
        {
            AgentException error = SystemError.Last($"Watching descriptor {fd}");
            _watched.TryRemove(key, out _);
            throw error;
        }

        return key;
    }

    /// <summary>Forgets a descriptor; to be called before it is closed.</summary>
    internal void Remove(ulong key, int fd)
    {
        _watched.TryRemove(key, out _);
        EpollEvent unused;
        _ = Libc.EpollControl(_epoll, Constants.EpollDelete, fd, &unused);
    }

    /// <summary>Watches for ever; the thread that calls it is the poller's.</summary>
    internal void Run()
    {
        EpollEvent* events = stackalloc EpollEvent[64];
        while (true)
        {
            int count = Libc.EpollWait(_epoll, events, 64, -1);
            if (count < 0 && Marshal.GetLastPInvokeError() != Constants.Interrupted)
            {
                throw SystemError.Last("Waiting for descriptors");
            }

            for (var i = 0; i < count; i++)
            {
                if (_watched.TryGetValue(events[i].Data, out IWatched? owner))
                {
                    owner.OnEvents(events[i].Events);
                }
            }
        }
    }
}
