using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Stream sockets at a path, of any path length (the kernel's limit of 107 bytes is got around through the folder's descriptor).</summary>
internal static class UnixSocket
{
    /// <summary>Size of sun_path (unix(7)), with the terminating zero.</summary>
    private const int PathBytes = 108;

    private static readonly mode_t OwnerOnly = 0x180; // 0600

    /// <summary>Makes a listening socket with mode 0600, to be handed to a child. A socket file already there is replaced.</summary>
    /// <exception cref="HostException">The folder is missing or not writable.</exception>
    internal static unsafe SafeHandle Listen(string path)
    {
        using SafeFileHandle folder = OpenFolder(path);
        int descriptor = Native.Check(LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0), "socket", path);
        SafeFileHandle socket = new(descriptor, ownsHandle: true);
        try
        {
            // unix(7): bind gives the socket file the socket's own mode, so it is never open to others, not even for a moment.
            Native.Check(LibC.fchmod(descriptor, OwnerOnly), "fchmod", path);
            fixed (byte* name = Native.ZeroTerminated(path))
            {
                _ = LibC.unlink(name);
            }

            sockaddr_un address = AddressIn(folder, path);
            Native.Check(LibC.bind(descriptor, (sockaddr*)&address, sizeof(sockaddr_un)), "bind", path);
            Native.Check(LibC.listen(descriptor, 8), "listen", path);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects to a listening socket.</summary>
    /// <exception cref="HostException"><c>ENOENT</c>, <c>ECONNREFUSED</c>: nobody listens there.</exception>
    internal static async Task<Socket> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        using SafeFileHandle folder = OpenFolder(path);
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(PathIn(folder, path)), cancellationToken);
            return socket;
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            throw new HostException("connect", path, exception.SocketErrorCode switch
            {
                SocketError.AddressNotAvailable => LibC.ENOENT, // how .NET names ENOENT
                SocketError.ConnectionRefused => LibC.ECONNREFUSED,
                SocketError.AccessDenied => LibC.EACCES,
                _ => File.Exists(path) ? LibC.ECONNREFUSED : LibC.ENOENT,
            });
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static SafeFileHandle OpenFolder(string path) =>
        Native.Open(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/", LibC.O_PATH | LibC.O_DIRECTORY);

    // The path itself where it fits: it is what /proc/net/unix and ss(8) show.
    private static string PathIn(SafeFileHandle folder, string path) => System.Text.Encoding.UTF8.GetByteCount(path) < PathBytes
        ? path
        : $"/proc/self/fd/{folder.DangerousGetHandle()}/{Path.GetFileName(path)}";

    private static unsafe sockaddr_un AddressIn(SafeFileHandle folder, string path)
    {
        sockaddr_un address = default;
        address.sun_family = LibC.AF_UNIX;
        byte[] name = Native.ZeroTerminated(PathIn(folder, path));
        if (name.Length > PathBytes)
        {
            throw new HostException("bind", path, LibC.ENAMETOOLONG);
        }

        name.CopyTo(new Span<byte>(address.sun_path, PathBytes));
        return address;
    }
}
