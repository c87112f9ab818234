using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Host;

/// <summary>Chooses the way to the host as the kernel command line says.</summary>
internal static class ChannelTransport
{
    /// <summary>The word on the kernel command line that asks for vsock.</summary>
    public const string VsockArgument = "vks.channel=vsock";

    /// <summary>Opens it; /dev (devtmpfs), /sys and /proc must be mounted. May wait for the device.</summary>
    /// <param name="kernelCommandLine">/proc/cmdline.</param>
    public static IChannelTransport Open(string kernelCommandLine) =>
        kernelCommandLine.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Contains(VsockArgument)
            ? VsockListener.Listen(ProtocolLimits.VsockPort)
            : VirtioPort.Open(ProtocolLimits.SerialPortName);
}
