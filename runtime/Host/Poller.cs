using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>One thread that waits for all descriptors of the daemon that .NET cannot wait for itself (epoll(7)).</summary>
internal sealed unsafe class Poller
{
    private static readonly Lazy<Poller> LazyShared = new(() => new Poller());

    private readonly int _epoll; // open as long as the process lives
    private readonly ConcurrentDictionary<long, Registration> _registrations = new();
    private long _lastKey;

    private Poller()
    {
        _epoll = Native.Check(LibC.epoll_create1(LibC.EPOLL_CLOEXEC), "epoll_create1", "the event loop");
        new Thread(Run) { IsBackground = true, Name = "vks-poller" }.Start();
    }

    /// <summary>The one loop, started at first use.</summary>
    internal static Poller Shared => LazyShared.Value;

    /// <summary>Calls back on the loop's thread whenever the descriptor is ready, until the registration is disposed.</summary>
    /// <param name="handle">Kept open until the registration is disposed.</param>
    /// <param name="events">EPOLLIN or EPOLLOUT.</param>
    /// <param name="ready">Must not block and must not throw.</param>
    internal Registration Register(SafeHandle handle, int events, Action<Registration> ready)
    {
        Registration registration = new(this, Interlocked.Increment(ref _lastKey), handle, ready);
        bool referenced = false;
        handle.DangerousAddRef(ref referenced);
        _registrations[registration.Key] = registration;
        epoll_event wanted = default;
        wanted.events = events;
        wanted.data.u64 = (ulong)registration.Key;
        if (LibC.epoll_ctl(_epoll, LibC.EPOLL_CTL_ADD, registration.Descriptor, &wanted) != 0)
        {
            int errno = LibC.errno;
            _registrations.TryRemove(registration.Key, out _);
            handle.DangerousRelease();
            throw new HostException("epoll_ctl", $"descriptor {registration.Descriptor}", errno);
        }

        return registration;
    }

    private void Run()
    {
        const int Capacity = 64;
        epoll_event* events = stackalloc epoll_event[Capacity];
        while (true)
        {
            int count = LibC.epoll_wait(_epoll, events, Capacity, timeout: -1);
            for (int i = 0; i < count; i++)
            {
                // An event fetched before its registration was disposed finds no entry and is dropped.
                if (_registrations.TryGetValue((long)events[i].data.u64, out Registration? registration))
                {
                    registration.Ready(registration);
                }
            }
        }
    }

    /// <summary>One watched descriptor.</summary>
    internal sealed class Registration(Poller poller, long key, SafeHandle handle, Action<Registration> ready) : IDisposable
    {
        private int _disposed;

        internal long Key => key;

        internal int Descriptor { get; } = (int)handle.DangerousGetHandle();

        internal Action<Registration> Ready => ready;

        /// <summary>Ends the watching; a call back that runs right now may still finish.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                poller._registrations.TryRemove(key, out _);
                _ = LibC.epoll_ctl(poller._epoll, LibC.EPOLL_CTL_DEL, Descriptor, null);
                handle.DangerousRelease();
            }
        }
    }
}
