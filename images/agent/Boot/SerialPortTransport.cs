using Vks.Agent.Channel;
using Vks.Agent.Disks;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Boot;

/// <summary>The virtio-serial port named <see cref="ProtocolLimits.SerialPortName"/>.</summary>
/// <remarks>A port is opened by one process once; between hosts it is closed and opened again, which tells QEMU that we left.</remarks>
internal sealed class SerialPortTransport(KernelEvents events) : IChannelTransport
{
    private const string Ports = "/sys/class/virtio-ports";

    /// <inheritdoc/>
    public bool CarriesBytesOver => true;

    /// <inheritdoc/>
    public async ValueTask<Stream> AcceptAsync(CancellationToken cancellationToken)
    {
        string device = await FindAsync(cancellationToken);
        var port = new AsyncFd(Descriptors.Open(device, Constants.OpenReadWrite | Constants.OpenNonBlocking));
        try
        {
            while (port.IsHungUp)
            {
                await port.WaitReadableAsync(cancellationToken);
            }

            return port;
        }
        catch
        {
            await port.DisposeAsync();
            throw;
        }
    }

    private async Task<string> FindAsync(CancellationToken cancellationToken)
    {
        using KernelEvents.Subscription news = events.Subscribe();
        while (true)
        {
            if (Look() is { } found)
            {
                return found;
            }

            await news.NextAsync(cancellationToken);
        }
    }

    private static string? Look()
    {
        if (!Directory.Exists(Ports))
        {
            return null;
        }

        foreach (string port in Directory.GetDirectories(Ports))
        {
            string name = Path.Combine(port, "name");
            if (File.Exists(name) && File.ReadAllText(name).Trim() == ProtocolLimits.SerialPortName)
            {
                return "/dev/" + Path.GetFileName(port);
            }
        }

        return null;
    }
}
