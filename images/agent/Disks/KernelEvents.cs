using System.Buffers.Binary;
using Vks.Agent.Host;

namespace Vks.Agent.Disks;

/// <summary>The kernel's device announcements (NETLINK_KOBJECT_UEVENT), so that nobody has to poll for a plugged device.</summary>
internal sealed class KernelEvents
{
    private readonly Lock _lock = new();
    private readonly List<Subscription> _subscriptions = [];
    private readonly AsyncFd _socket = OpenSocket();

    /// <summary>Reads announcements until the token fires.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[16 * 1024];
        while (true)
        {
            try
            {
                _ = await _socket.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException)
            {
                // ENOBUFS: announcements were lost. Waking everybody makes them look for themselves.
            }

            WakeAll();
        }
    }

    /// <summary>Makes every listener look again.</summary>
    internal void WakeAll()
    {
        lock (_lock)
        {
            foreach (Subscription subscription in _subscriptions)
            {
                subscription.Signal.Set();
            }
        }
    }

    /// <summary>Starts to listen. Look at the present state after this call, then wait for the next announcement.</summary>
    internal Subscription Subscribe()
    {
        var subscription = new Subscription(this);
        lock (_lock)
        {
            _subscriptions.Add(subscription);
        }

        return subscription;
    }

    private static unsafe AsyncFd OpenSocket()
    {
        int fd = Libc.Socket(Constants.FamilyNetlink, Constants.SocketDatagram | Constants.SocketCloseOnExec, Constants.NetlinkUevent);
        byte* address = stackalloc byte[12];
        var bytes = new Span<byte>(address, 12);
        bytes.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, Constants.FamilyNetlink);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], 1);
        return fd >= 0 && Libc.Bind(fd, address, 12) == 0
            ? new AsyncFd(fd)
            : throw SystemError.Last("Listening for device announcements");
    }

    /// <summary>One listener.</summary>
    internal sealed class Subscription(KernelEvents owner) : IDisposable
    {
        internal AsyncSignal Signal { get; } = new();

        /// <summary>Waits for an announcement after the last one waited for.</summary>
        internal Task NextAsync(CancellationToken cancellationToken) => Signal.WaitAsync(cancellationToken);

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (owner._lock)
            {
                owner._subscriptions.Remove(this);
            }
        }
    }
}
