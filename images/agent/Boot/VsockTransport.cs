using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Boot;

/// <summary>Listens on AF_VSOCK port <see cref="ProtocolLimits.VsockPort"/>, vsock(7).</summary>
internal sealed class VsockTransport : IChannelTransport
{
    private readonly AsyncFd _listener = Listen();

    /// <inheritdoc/>
    public bool CarriesBytesOver => false;

    /// <inheritdoc/>
    public async ValueTask<Stream> AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            int fd = Accept();
            if (fd >= 0)
            {
                return new AsyncFd(fd);
            }

            await _listener.WaitReadableAsync(cancellationToken);
        }
    }

    private static unsafe AsyncFd Listen()
    {
        const uint AnyCid = 0xffffffff;
        byte* address = stackalloc byte[16];
        var bytes = new Span<byte>(address, 16);
        bytes.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, Constants.FamilyVsock);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], ProtocolLimits.VsockPort);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], AnyCid);
        int fd = Libc.Socket(Constants.FamilyVsock, Constants.SocketStream | Constants.SocketCloseOnExec, 0);
        if (fd < 0 || Libc.Bind(fd, address, 16) != 0 || Libc.Listen(fd, 4) != 0)
        {
            throw SystemError.Last($"Listening on vsock port {ProtocolLimits.VsockPort}");
        }

        return new AsyncFd(fd);
    }

    private unsafe int Accept()
    {
        int fd = Libc.Accept(_listener.Number, null, null, Constants.SocketCloseOnExec);
        return fd >= 0 || Marshal.GetLastPInvokeError() is Constants.TryAgain or Constants.Interrupted or 103
            ? fd
            : throw SystemError.Last("Accepting a vsock connection");
    }
}
