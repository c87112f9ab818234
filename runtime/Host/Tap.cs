using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Host;

/// <summary>Opens a tap interface for a virtual machine.</summary>
internal static class Tap
{
    /// <summary>Opens an existing tap (Ethernet frames with virtio-net headers).</summary>
    /// <param name="netnsPath">The network namespace it is in, or null for the daemon's.</param>
    /// <param name="name">Its name, at most 15 bytes.</param>
    /// <exception cref="HostException"><c>EBUSY</c>: another process has it open; <c>ENOENT</c>: no such namespace or no <c>/dev/net/tun</c>; <c>ENODEV</c>: no such interface.</exception>
    internal static Task<SafeFileHandle> OpenAsync(string? netnsPath, string name) => throw new NotSupportedException();
}
