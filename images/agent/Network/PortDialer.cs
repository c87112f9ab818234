using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Agent.Personality;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Network;

/// <summary>Opens TCP connections inside the guest and carries them over a call.</summary>
internal sealed class PortDialer(PodPersonality personality)
{
    private static readonly Empty _empty = new();

    /// <summary>Connects, then copies both ways until the peer has closed.</summary>
    internal async Task<Empty> DialAsync(AgentCall call, DialRequest request, CancellationToken cancellationToken)
    {
        if (request.Port is < 1 or > 65535)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"{request.Port} is no port: 1 to 65535 are expected.");
        }

        using AsyncFd connection = await ConnectAsync(request, cancellationToken);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task sending = SendAsync(call, connection, done.Token);
        try
        {
            var chunk = new byte[32 * 1024];
            while (await connection.ReadAsync(chunk, cancellationToken) is var got and > 0)
            {
                await call.WriteAsync(GuestStream.Output, chunk.AsMemory(0, got), cancellationToken);
            }
        }
        catch (IOException exception)
        {
            throw new AgentException(GuestFault.ConnectionFailed, $"The connection to {Name(request)} broke: {exception.Message}", exception);
        }
        finally
        {
            await done.CancelAsync();
            await sending;
        }

        return _empty;
    }

    private static async Task SendAsync(AgentCall call, AsyncFd connection, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var result = await call.Input.ReadAsync(cancellationToken);
                foreach (ReadOnlyMemory<byte> piece in result.Buffer)
                {
                    await connection.WriteAsync(piece, cancellationToken);
                }

                call.Input.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    _ = Libc.Shutdown(connection.Number, Constants.ShutdownWrite);
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The reading side ends the call and says why.
        }
    }

    private async Task<AsyncFd> ConnectAsync(DialRequest request, CancellationToken cancellationToken)
    {
        AgentException? last = null;
        foreach (IPAddress address in AddressesOf(request.Host))
        {
            try
            {
                return await ConnectAsync(address, request, cancellationToken);
            }
            catch (AgentException exception)
            {
                last ??= exception;
            }
        }

        throw last ?? new AgentException(
            GuestFault.ConnectionFailed, $"'{request.Host}' is neither an address, localhost nor a name of the pod's /etc/hosts.");
    }

    /// <summary>A static program has no resolver of names; those a pod may mean by itself are in its hosts file.</summary>
    private List<IPAddress> AddressesOf(string host)
    {
        if (host.Length == 0 || host == "localhost")
        {
            return [IPAddress.Loopback, IPAddress.IPv6Loopback];
        }

        if (IPAddress.TryParse(host, out IPAddress? given))
        {
            return [given];
        }

        var found = new List<IPAddress>();
        foreach (string line in (personality.Hosts ?? "").Split('\n'))
        {
            string[] words = line.Split('#')[0].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words.AsSpan(1).Contains(host) && IPAddress.TryParse(words[0], out IPAddress? address))
            {
                found.Add(address);
            }
        }

        return found;
    }

    private static async Task<AsyncFd> ConnectAsync(IPAddress address, DialRequest request, CancellationToken cancellationToken)
    {
        (AsyncFd socket, int errno) = Begin(address, request.Port);
        try
        {
            if (errno == Constants.InProgress)
            {
                // Adding a descriptor to epoll announces it once, so look again until poll(2) agrees that it is connected.
                while (!IsSettled(socket))
                {
                    await socket.WaitWritableAsync(cancellationToken);
                }

                errno = PendingError(socket);
            }

            return errno == 0
                ? socket
                : throw new AgentException(GuestFault.ConnectionFailed, $"Connecting to {Name(request)} at {address}: {SystemError.Text(errno)}");
        }
        catch
        {
            await socket.DisposeAsync();
            throw;
        }
    }

    private static unsafe (AsyncFd Socket, int Errno) Begin(IPAddress address, int port)
    {
        bool v6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        byte* raw = stackalloc byte[28];
        var bytes = new Span<byte>(raw, 28);
        bytes.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, v6 ? (ushort)Constants.FamilyInet6 : (ushort)Constants.FamilyInet);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)port);
        address.TryWriteBytes(bytes[(v6 ? 8 : 4)..], out _);
        int fd = Libc.Socket(v6 ? Constants.FamilyInet6 : Constants.FamilyInet, Constants.SocketStream | Constants.SocketCloseOnExec | Constants.SocketNonBlocking, 0);
        if (fd < 0)
        {
            throw SystemError.Last("Opening a TCP socket");
        }

        int errno = Libc.Connect(fd, raw, v6 ? 28u : 16u) == 0 ? 0 : Marshal.GetLastPInvokeError();
        return (new AsyncFd(fd), errno);
    }

    private static unsafe bool IsSettled(AsyncFd socket)
    {
        var entry = new PollFd { Fd = socket.Number, Events = 4 };
        return Libc.Poll(&entry, 1, 0) != 0;
    }

    private static unsafe int PendingError(AsyncFd socket)
    {
        int error;
        uint length = sizeof(int);
        return Libc.GetSocketOption(socket.Number, Constants.SocketLevel, Constants.SocketError, &error, &length) == 0
            ? error
            : Marshal.GetLastPInvokeError();
    }

    private static string Name(DialRequest request) => $"{(request.Host.Length == 0 ? "localhost" : request.Host)}:{request.Port}";
}
