using System.Collections.Concurrent;

namespace Vks.Agent.Host;

/// <summary>One thread in epoll_wait(2) that wakes the readers and writers of every non-blocking descriptor.</summary>
/// <remarks>Edge-triggered: a descriptor is added once; a reader waits only after read(2) said EAGAIN, and its signal remembers earlier edges.</remarks>
internal sealed unsafe class Poller
{
    private readonly int _epoll;
    private readonly ConcurrentDictionary<ulong, AsyncFd> _fds = new();
    private ulong _next;

    private Poller()
    {
        _epoll = Libc.EpollCreate(Constants.OpenCloseOnExec);
        if (_epoll < 0)
        {
            throw SystemError.Last("Making the epoll instance");
        }

        new Thread(Run, 64 * 1024) { IsBackground = true, Name = "poller" }.Start();
    }

    /// <summary>The agent's only poller.</summary>
    internal static Poller Shared { get; } = new();

    internal ulong Add(AsyncFd fd)
    {
        ulong key = Interlocked.Increment(ref _next);
        _fds[key] = fd;
        var settings = new EpollEvent
        {
            Events = Constants.EpollIn | Constants.EpollOut | Constants.EpollReadHangUp | Constants.EpollEdge,
            Data = key,
        };
        if (Libc.EpollControl(_epoll, Constants.EpollAdd, fd.Number, &settings) != 0)
        {
            _fds.TryRemove(key, out _);
            throw SystemError.Last($"Watching descriptor {fd.Number}");
        }

        return key;
    }

    internal void Remove(ulong key, int fd)
    {
        _fds.TryRemove(key, out _);
        EpollEvent unused;
        _ = Libc.EpollControl(_epoll, Constants.EpollDelete, fd, &unused);
    }

    private void Run()
    {
        EpollEvent* events = stackalloc EpollEvent[64];
        while (true)
        {
            int count = Libc.EpollWait(_epoll, events, 64, -1);
            for (var i = 0; i < count; i++)
            {
                if (_fds.TryGetValue(events[i].Data, out AsyncFd? fd))
                {
                    fd.OnEvents(events[i].Events);
                }
            }
        }
    }
}
