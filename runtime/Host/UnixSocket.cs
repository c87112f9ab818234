using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Vks.Runtime.Host;

/// <summary>Stream sockets at a path, of any path length (the kernel's limit of 107 bytes is got around through the folder's descriptor).</summary>
internal static class UnixSocket
{
    /// <summary>Makes a listening socket with mode 0600, to be handed to a child. A socket file already there is replaced.</summary>
    /// <exception cref="HostException">The folder is missing or not writable.</exception>
    internal static SafeHandle Listen(string path) => throw new NotSupportedException();

    /// <summary>Connects to a listening socket.</summary>
    /// <exception cref="HostException"><c>ENOENT</c>, <c>ECONNREFUSED</c>: nobody listens there.</exception>
    internal static Task<Socket> ConnectAsync(string path, CancellationToken cancellationToken) => throw new NotSupportedException();
}
