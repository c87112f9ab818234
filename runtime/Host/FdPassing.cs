using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Sends an open descriptor to the peer of a connected unix socket (SCM_RIGHTS of unix(7)).</summary>
internal static class FdPassing
{
    /// <summary>Sends all bytes, the descriptor travelling with the first. The caller keeps its own copy.</summary>
    /// <exception cref="HostException">e.g. <c>EPIPE</c>: the peer has gone.</exception>
    internal static async ValueTask SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, SafeHandle descriptor, CancellationToken cancellationToken)
    {
        int sent;
        while ((sent = TrySend(socket, bytes.Span, descriptor)) == 0)
        {
            // The socket is full. A space means nothing between two JSON texts, and .NET waits until it fits.
            await socket.SendAsync(" "u8.ToArray(), cancellationToken);
        }

        while (sent < bytes.Length)
        {
            sent += await socket.SendAsync(bytes[sent..], cancellationToken);
        }
    }

    private static unsafe int TrySend(Socket socket, ReadOnlySpan<byte> bytes, SafeHandle descriptor)
    {
        byte* control = stackalloc byte[64];
        new Span<byte>(control, 64).Clear();
        bool referenced = false;
        descriptor.DangerousAddRef(ref referenced);
        try
        {
            fixed (byte* start = bytes)
            {
                iovec vector = new() { iov_base = start, iov_len = bytes.Length };
                msghdr message = default;
                message.msg_iov = &vector;
                message.msg_iovlen = 1;
                message.msg_control = control;
                message.msg_controllen = LibC.CMSG_SPACE(sizeof(int));
                cmsghdr* header = LibC.CMSG_FIRSTHDR(&message);
                header->cmsg_level = LibC.SOL_SOCKET;
                header->cmsg_type = LibC.SCM_RIGHTS;
                header->cmsg_len = LibC.CMSG_LEN(sizeof(int));
                *(int*)LibC.CMSG_DATA(header) = (int)descriptor.DangerousGetHandle();
                long sent = (long)LibC.sendmsg((int)socket.Handle, &message, LibC.MSG_DONTWAIT | LibC.MSG_NOSIGNAL);
                if (sent >= 0)
                {
                    return (int)sent;
                }

                int errno = LibC.errno;
                return errno == LibC.EAGAIN || errno == LibC.EINTR ? 0 : throw new HostException("sendmsg", "a unix socket", errno);
            }
        }
        finally
        {
            descriptor.DangerousRelease();
        }
    }
}
