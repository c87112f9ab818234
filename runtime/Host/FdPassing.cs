using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Vks.Runtime.Host;

/// <summary>Sends an open descriptor to the peer of a connected unix socket.</summary>
internal static class FdPassing
{
    /// <summary>Sends all bytes, the descriptor travelling with the first. The caller keeps its own copy.</summary>
    /// <exception cref="HostException">e.g. <c>EPIPE</c>: the peer has gone.</exception>
    internal static ValueTask SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, SafeHandle descriptor, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
