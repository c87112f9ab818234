using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Host;

/// <summary>Byte streams between host and guest without a network (vsock(7)).</summary>
internal static class Vsock
{
    /// <summary>The host can offer vsock devices to guests: <c>/dev/vhost-vsock</c> exists.</summary>
    internal static bool IsAvailable => File.Exists("/dev/vhost-vsock");

    /// <summary>Opens <c>/dev/vhost-vsock</c> for one guest.</summary>
    internal static SafeFileHandle OpenVhost() => throw new NotSupportedException();

    /// <summary>Connects to a port of a guest.</summary>
    /// <exception cref="HostException"><c>ENODEV</c>: no such guest; <c>ECONNRESET</c>: nobody listens yet; <c>ETIMEDOUT</c>.</exception>
    internal static Task<Stream> ConnectAsync(uint contextId, uint port, CancellationToken cancellationToken) => throw new NotSupportedException();
}
