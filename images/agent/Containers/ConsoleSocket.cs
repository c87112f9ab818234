using System.Buffers.Binary;
using System.Text;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>The unix socket over which crun hands us the master side of a new terminal (SCM_RIGHTS).</summary>
internal sealed class ConsoleSocket : IDisposable
{
    private readonly AsyncFd _listener;

    /// <summary>Listens at a path of at most 107 bytes.</summary>
    internal unsafe ConsoleSocket(string path)
    {
        Path = path;
        byte* address = stackalloc byte[110];
        var bytes = new Span<byte>(address, 110);
        bytes.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, Constants.FamilyUnix);
        if (Encoding.UTF8.GetByteCount(path) > 107)
        {
            throw new ArgumentException($"'{path}' is too long for a unix socket.", nameof(path));
        }

        _ = Encoding.UTF8.GetBytes(path, bytes[2..]);
        int fd = Libc.Socket(Constants.FamilyUnix, Constants.SocketStream | Constants.SocketCloseOnExec, 0);
        if (fd < 0 || Libc.Bind(fd, address, 110) != 0 || Libc.Listen(fd, 1) != 0)
        {
            AgentException error = SystemError.Last($"Listening for a terminal at {path}");
            Descriptors.Close(fd);
            throw error;
        }

        _listener = new AsyncFd(fd);
    }

    /// <summary>Where crun connects.</summary>
    internal string Path { get; }

    /// <summary>Takes the terminal; crun has sent it before it exits.</summary>
    internal unsafe AsyncFd Receive()
    {
        int connection = Libc.Accept(_listener.Number, null, null, Constants.SocketCloseOnExec);
        if (connection < 0)
        {
            throw SystemError.Last("Accepting crun's terminal connection");
        }

        try
        {
            const int CloseOnExecFlag = 0x40000000;
            byte* data = stackalloc byte[256];
            byte* control = stackalloc byte[64];
            var vector = new IoVector { Base = data, Length = 256 };
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 64 };
            nint got = Libc.ReceiveMessage(connection, &message, CloseOnExecFlag);
            // struct cmsghdr: length 8 bytes, level 4, type 4, then the descriptor.
            return got > 0 && message.ControlLength >= 20
                ? new AsyncFd(*(int*)(control + 16))
                : throw new AgentException(GuestFault.Failed, "crun's terminal message carried no descriptor.");
        }
        finally
        {
            Descriptors.Close(connection);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        _ = Libc.Unlink(Path);
    }
}
