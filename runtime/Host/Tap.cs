using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Opens a tap interface for a virtual machine.</summary>
internal static class Tap
{
    // linux/if_tun.h
    private const short IffTap = 0x0002;
    private const short IffNoPacketInfo = 0x1000;
    private const short IffVnetHeader = 0x4000;

    /// <summary>Size of <c>struct ifreq</c> (netdevice(7)); the name's field has 16 bytes.</summary>
    private const int InterfaceRequestBytes = 40;

    /// <summary>How long a tap may be in use. A descriptor that was closed is open for as long as a child that was forked a moment before takes to its exec.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <summary>Opens an existing tap (Ethernet frames with virtio-net headers).</summary>
    /// <param name="netnsPath">The network namespace it is in, or null for the daemon's.</param>
    /// <param name="name">Its name, at most 15 bytes.</param>
    /// <exception cref="HostException"><c>EBUSY</c>: another process has it open for two seconds; <c>ENOENT</c>: no such namespace or no <c>/dev/net/tun</c>; <c>ENODEV</c>: no such interface.</exception>
    internal static async Task<SafeFileHandle> OpenAsync(string? netnsPath, string name)
    {
        long begin = Environment.TickCount64;
        while (true)
        {
            try
            {
                return await OpenOnceAsync(netnsPath, name);
            }
            catch (HostException cause) when (cause.ErrnoName == "EBUSY" && Environment.TickCount64 - begin < s_patience.TotalMilliseconds)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
            }
        }
    }

    /// <summary>Makes a tap in a network namespace of its own, which nothing else can enter and which goes with the descriptor.</summary>
    /// <param name="name">Its name, at most 15 bytes.</param>
    /// <exception cref="HostException">No <c>/dev/net/tun</c>, or no right to make a namespace.</exception>
    internal static Task<SafeFileHandle> MakeAloneAsync(string name) => DedicatedThread.RunAsync("vks-tap", () =>
    {
        Native.Check(LibC.unshare(LibC.CLONE_NEWNET), "unshare(CLONE_NEWNET)", name);
        return Attach(name, $"tap {name}");
    });

    private static Task<SafeFileHandle> OpenOnceAsync(string? netnsPath, string name) => DedicatedThread.RunAsync("vks-tap", () =>
    {
        if (Encoding.UTF8.GetByteCount(name) is 0 or > 15)
        {
            throw new HostException("ioctl(TUNSETIFF)", $"tap '{name}'", LibC.ENAMETOOLONG, "interface names have 1 to 15 bytes");
        }

        string subject = netnsPath is null ? $"tap {name}" : $"tap {name} in {netnsPath}";
        if (netnsPath is not null)
        {
            DedicatedThread.EnterNetns(netnsPath);
        }

        // TUNSETIFF makes an interface that does not exist. /proc/thread-self/net shows this thread's namespace.
        if (!File.ReadLines("/proc/thread-self/net/dev").Any(line => line.TrimStart().StartsWith(name + ":", StringComparison.Ordinal)))
        {
            throw new HostException("ioctl(TUNSETIFF)", subject, LibC.ENODEV, "create the tap before the machine");
        }

        return Attach(name, subject);
    });

    private static unsafe SafeFileHandle Attach(string name, string subject)
    {
        SafeFileHandle tun = Native.Open("/dev/net/tun", LibC.O_RDWR, "load the kernel module tun");
        try
        {
            byte* request = stackalloc byte[InterfaceRequestBytes];
            Span<byte> bytes = new(request, InterfaceRequestBytes);
            bytes.Clear();
            Encoding.UTF8.GetBytes(name, bytes);
            *(short*)(request + 16) = IffTap | IffNoPacketInfo | IffVnetHeader;
            Native.Check(NativeMethods.IoCtl((int)tun.DangerousGetHandle(), NativeMethods.TunSetIff, request), "ioctl(TUNSETIFF)", subject);
            return tun;
        }
        catch
        {
            tun.Dispose();
            throw;
        }
    }
}
