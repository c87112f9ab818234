using Vks.Agent.Channel;

namespace Vks.Agent.Host;

/// <summary>The virtio-serial port to the host. It is opened once; the host comes and goes.</summary>
internal sealed class VirtioPort : IChannelTransport
{
    private const string PortsDirectory = "/sys/class/virtio-ports";

    private readonly int _fd;
    private readonly string _path;
    private readonly Readiness _readiness = new();

    private VirtioPort(int fd, string path)
    {
        (_fd, _path) = (fd, path);
        _ = Poller.Shared.Add(_readiness, fd);
    }

    /// <inheritdoc/>
    public bool CarriesBytesOver => true;

    /// <summary>Finds the port by its name and opens it. Waits for the kernel's word when the port is not there yet.</summary>
    /// <param name="name">As in QEMU's <c>virtserialport,name=</c>.</param>
    /// <exception cref="IOException">/dev has no such node (is devtmpfs mounted?), or it is open already.</exception>
    public static VirtioPort Open(string name)
    {
        string path = Find(name) ?? WaitFor(name);
        int fd = ChannelNative.Open(path, ChannelNative.OpenReadWrite | ChannelNative.NonBlocking | ChannelNative.CloseOnExec);
        return fd >= 0 ? new VirtioPort(fd, path) : throw ChannelNative.Failure($"open {path}, the virtio-serial port {name}");
    }

    /// <inheritdoc/>
    public async ValueTask<Stream> AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task next = _readiness.Next;
            if (HostConnected())
            {
                return new DescriptorStream(_fd, _path, _readiness, static () => { });
            }

            await next.WaitAsync(cancellationToken);
        }
    }

    private unsafe bool HostConnected()
    {
        var entry = new ChannelNative.PollEntry { Fd = _fd, Events = (short)(ChannelNative.EventIn | ChannelNative.EventOut) };
        return ChannelNative.Poll(&entry, 1, 0) >= 0
            ? (entry.Returned & (short)ChannelNative.EventHangUp) == 0
            : throw ChannelNative.Failure($"poll {_path}");
    }

    private static string? Find(string name)
    {
        if (!Directory.Exists(PortsDirectory))
        {
            return null;
        }

        foreach (string port in Directory.EnumerateFileSystemEntries(PortsDirectory))
        {
            string file = Path.Combine(port, "name");
            if (File.Exists(file) && File.ReadAllText(file).TrimEnd('\n') == name)
            {
                return Path.Combine("/dev", Path.GetFileName(port));
            }
        }

        return null;
    }

    /// <summary>
    /// Ports are added by messages of the device that may come after PID 1 has started; each comes with a uevent. The socket is
    /// bound before the second look, so that no port slips through between.
    /// </summary>
    private static unsafe string WaitFor(string name)
    {
        int socket = ChannelNative.Socket(
            ChannelNative.FamilyNetlink, ChannelNative.SocketDatagram | ChannelNative.CloseOnExec, ChannelNative.NetlinkUevent);
        if (socket < 0)
        {
            throw ChannelNative.Failure("socket for kernel uevents");
        }

        try
        {
            var address = new ChannelNative.NetlinkAddress { Family = ChannelNative.FamilyNetlink, Groups = 1 };
            if (ChannelNative.Bind(socket, &address, (uint)sizeof(ChannelNative.NetlinkAddress)) != 0)
            {
                throw ChannelNative.Failure("bind to kernel uevents");
            }

            byte* message = stackalloc byte[4096];
            while (true)
            {
                if (Find(name) is { } path)
                {
                    return path;
                }

                // Whatever it says (an overrun included), the answer is to look again.
                _ = ChannelNative.Read(socket, message, 4096);
            }
        }
        finally
        {
            _ = ChannelNative.Close(socket);
        }
    }
}
