using System.Buffers.Binary;
using Vks.Agent.Host;

namespace Vks.Agent.Network;

/// <summary>One rtnetlink socket: a request, its acknowledgement.</summary>
internal sealed unsafe class Netlink : IDisposable
{
    private readonly int _socket;
    private uint _sequence;

    internal Netlink()
    {
        _socket = Libc.Socket(Constants.FamilyNetlink, Constants.SocketRaw | Constants.SocketCloseOnExec, Constants.NetlinkRoute);
        if (_socket < 0)
        {
            throw SystemError.Last("Opening an rtnetlink socket");
        }
    }

    /// <summary>Sends a request; the kernel works it off before write(2) returns, so the answer is already there to read.</summary>
    /// <param name="message">The request.</param>
    /// <param name="tried">What it is meant to do, for the error.</param>
    internal void Send(NetlinkMessage message, string tried)
    {
        const ushort ErrorType = 2;
        byte[] request = message.ToArray(++_sequence);
        byte* answer = stackalloc byte[4096];
        fixed (byte* start = request)
        {
            if (Libc.Write(_socket, start, (nuint)request.Length) < 0)
            {
                throw SystemError.Last(tried);
            }
        }

        nint got = Libc.Read(_socket, answer, 4096);
        if (got < 20)
        {
            throw SystemError.Last(tried);
        }

        var bytes = new ReadOnlySpan<byte>(answer, (int)got);
        int errno = -BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]);
        if (BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]) == ErrorType && errno != 0)
        {
            throw SystemError.From(tried, errno);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _ = Libc.Close(_socket);
}
