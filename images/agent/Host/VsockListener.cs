using System.Runtime.InteropServices;
using Vks.Agent.Channel;

namespace Vks.Agent.Host;

/// <summary>Listens for the host on AF_VSOCK (vsock(7), Linux 4.8).</summary>
internal sealed class VsockListener : IChannelTransport
{
    private readonly int _fd;
    private readonly uint _port;
    private readonly Readiness _readiness = new();

    private VsockListener(int fd, uint port)
    {
        (_fd, _port) = (fd, port);
        _ = Poller.Shared.Add(_readiness, fd);
    }

    /// <inheritdoc/>
    public bool CarriesBytesOver => false;

    /// <summary>Binds and listens.</summary>
    /// <exception cref="IOException">The guest has no vsock device, or the port is taken.</exception>
    public static unsafe VsockListener Listen(int port)
    {
        int fd = ChannelNative.Socket(
            ChannelNative.FamilyVsock, ChannelNative.SocketStream | ChannelNative.NonBlocking | ChannelNative.CloseOnExec, 0);
        if (fd < 0)
        {
            throw ChannelNative.Failure("socket of the vsock family");
        }

        var address = new ChannelNative.VsockAddress
        {
            Family = ChannelNative.FamilyVsock, Port = (uint)port, Cid = ChannelNative.VsockAnyCid,
        };
        if (ChannelNative.Bind(fd, &address, (uint)sizeof(ChannelNative.VsockAddress)) != 0 || ChannelNative.Listen(fd, 4) != 0)
        {
            IOException failure = ChannelNative.Failure($"listen on vsock port {port}");
            _ = ChannelNative.Close(fd);
            throw failure;
        }

        return new VsockListener(fd, (uint)port);
    }

    /// <inheritdoc/>
    public async ValueTask<Stream> AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task next = _readiness.Next;
            int fd = TryAccept();
            if (fd >= 0)
            {
                var changes = new Readiness();
                ulong key = Poller.Shared.Add(changes, fd);
                return new DescriptorStream(fd, $"vsock port {_port}", changes, () =>
                {
                    Poller.Shared.Remove(key, fd);
                    _ = ChannelNative.Close(fd);
                });
            }

            await next.WaitAsync(cancellationToken);
        }
    }

    private unsafe int TryAccept()
    {
        int fd = ChannelNative.Accept(_fd, null, null, ChannelNative.NonBlocking | ChannelNative.CloseOnExec);
        return fd >= 0 || Marshal.GetLastPInvokeError() is ChannelNative.ErrorAgain or ChannelNative.ErrorInterrupted
            ? fd
            : throw ChannelNative.Failure($"accept on vsock port {_port}");
    }
}
