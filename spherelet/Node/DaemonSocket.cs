using System.Net.Sockets;

namespace Vks.Spherelet.Node;

/// <summary>The daemon's socket file.</summary>
internal static class DaemonSocket
{
    /// <summary>How long a listener may take to accept.</summary>
    private static readonly TimeSpan s_answerTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Makes the folder and removes a socket that a dead daemon left.</summary>
    /// <exception cref="NodeException"><see cref="NodeFault.AlreadyRunning"/>: something listens on it, or it is not a socket.</exception>
    public static async Task ClearAsync(string path, CancellationToken cancellationToken)
    {
        string directory = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        if (!File.Exists(path))
        {
            return;
        }

        if (await AnswersAsync(path, cancellationToken))
        {
            throw new NodeException(NodeFault.AlreadyRunning, $"Something listens on {path} already. Stop it, or choose another --socket.");
        }

        // Only a socket has neither a length nor the attribute of a device or directory; a file of someone's is not ours to delete.
        if (new FileInfo(path).Length != 0)
        {
            throw new NodeException(NodeFault.AlreadyRunning, $"{path} is a file, not a socket. Remove it, or choose another --socket.");
        }

        File.Delete(path);
    }

    /// <summary>Whether something accepts connections on it.</summary>
    public static async Task<bool> AnswersAsync(string path, CancellationToken cancellationToken)
    {
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(s_answerTimeout);
        try
        {
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(path), deadline.Token);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The queue of a hung daemon is full: somebody is there.
            return true;
        }
    }
}
