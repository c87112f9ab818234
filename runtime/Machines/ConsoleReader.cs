using System.Net.Sockets;
using Vks.Runtime.Host;

namespace Vks.Runtime.Machines;

/// <summary>Reads a guest's console from QEMU's socket into a <see cref="ConsoleLog"/>, so that QEMU never waits for a reader.</summary>
internal sealed class ConsoleReader : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Task _reading;

    private ConsoleReader(Socket socket, ConsoleLog log)
    {
        _socket = socket;
        _reading = ReadAsync(socket, log);
    }

    /// <summary>Completes when QEMU has closed the console and all of it was read.</summary>
    internal Task Drained => _reading;

    /// <summary>Connects and begins to read.</summary>
    /// <exception cref="HostException">Nobody listens at the path.</exception>
    internal static async Task<ConsoleReader> OpenAsync(string path, ConsoleLog log, CancellationToken cancellationToken) =>
        new(await UnixSocket.ConnectAsync(path, cancellationToken), log);

    /// <summary>Closes the connection; what the guest prints from now on is lost.</summary>
    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _reading;
    }

    private static async Task ReadAsync(Socket socket, ConsoleLog log)
    {
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer) is > 0 and var count)
            {
                log.Append(buffer.AsSpan(0, count));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // QEMU was killed, or the reader was closed: the console is over either way, and the process tells why.
        }
    }
}
