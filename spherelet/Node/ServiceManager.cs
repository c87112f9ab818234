using System.Net.Sockets;
using System.Text;

namespace Vks.Spherelet.Node;

/// <summary>Tells the service manager how the daemon is, by the protocol of sd_notify(3).</summary>
internal static class ServiceManager
{
    /// <summary>Sends one state, e.g. <c>READY=1</c>. Nothing happens where no service manager waits for it.</summary>
    public static async Task NotifyAsync(string state, CancellationToken cancellationToken)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path)
        {
            return;
        }

        // A leading @ stands for the abstract namespace, whose names begin with a zero byte.
        UnixDomainSocketEndPoint manager = new(path[0] == '@' ? "\0" + path[1..] : path);
        using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        await socket.SendToAsync(Encoding.UTF8.GetBytes(state), SocketFlags.None, manager, cancellationToken);
    }
}
