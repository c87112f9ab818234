using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Byte streams between host and guest without a network (vsock(7)).</summary>
internal static class Vsock
{
    private const string VhostDevice = "/dev/vhost-vsock";

    /// <summary>Size of <c>struct sockaddr_vm</c>.</summary>
    private const int AddressBytes = 16;

    /// <summary>The host can offer vsock devices to guests: <c>/dev/vhost-vsock</c> exists.</summary>
    internal static bool IsAvailable => File.Exists(VhostDevice);

    /// <summary>Opens <c>/dev/vhost-vsock</c> for one guest.</summary>
    internal static SafeFileHandle OpenVhost() => Native.Open(VhostDevice, LibC.O_RDWR, "load the kernel module vhost_vsock");

    /// <summary>Connects to a port of a guest.</summary>
    /// <exception cref="HostException"><c>ENODEV</c>: no such guest; <c>ECONNRESET</c>: nobody listens yet; <c>ETIMEDOUT</c>.</exception>
    internal static async Task<Stream> ConnectAsync(uint contextId, uint port, CancellationToken cancellationToken)
    {
        string subject = $"vsock {contextId}:{port}";
        int descriptor = Native.Check(LibC.socket(LibC.AF_VSOCK, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC | LibC.SOCK_NONBLOCK, 0), "socket", subject);
        SafeFileHandle socket = new(descriptor, ownsHandle: true);
        try
        {
            int errno = StartConnect(descriptor, contextId, port);
            if (errno == LibC.EINPROGRESS)
            {
                await DescriptorStream.WaitReadyAsync(socket, LibC.EPOLLOUT, cancellationToken);
                errno = PendingError(descriptor);
            }

            return errno == 0 ? new DescriptorStream(socket, subject) : throw new HostException("connect", subject, errno);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static unsafe int StartConnect(int descriptor, uint contextId, uint port)
    {
        byte* address = stackalloc byte[AddressBytes];
        new Span<byte>(address, AddressBytes).Clear();
        *(ushort*)address = (ushort)LibC.AF_VSOCK;
        *(uint*)(address + 4) = port;
        *(uint*)(address + 8) = contextId;
        return LibC.connect(descriptor, (sockaddr*)address, AddressBytes) == 0 ? 0 : LibC.errno;
    }

    private static unsafe int PendingError(int descriptor)
    {
        int error = 0;
        socklen_t length = sizeof(int);
        Native.Check(LibC.getsockopt(descriptor, LibC.SOL_SOCKET, LibC.SO_ERROR, &error, &length), "getsockopt(SO_ERROR)", "a vsock");
        return error;
    }
}
