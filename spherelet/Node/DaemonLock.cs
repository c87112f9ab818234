namespace Vks.Spherelet.Node;

/// <summary>Holds a root directory for one daemon; the kernel lets go of it when the process ends, however it ends.</summary>
internal sealed class DaemonLock : IDisposable
{
    private readonly FileStream _file;

    private DaemonLock(FileStream file) => _file = file;

    /// <summary>Takes the root directory, which is made when it is missing.</summary>
    /// <exception cref="NodeException"><see cref="NodeFault.AlreadyRunning"/>: another daemon has it. <see cref="NodeFault.NotPermitted"/>: no right to it.</exception>
    public static DaemonLock Take(string rootDirectory)
    {
        string path = Path.Combine(rootDirectory, "spherelet.lock");
        try
        {
            Directory.CreateDirectory(rootDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new DaemonLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException problem)
        {
            throw new NodeException(NodeFault.NotPermitted, $"{path} cannot be opened: {problem.Message} Run spherelet as root.", problem);
        }
        catch (IOException problem)
        {
            throw new NodeException(
                NodeFault.AlreadyRunning,
                $"Another spherelet uses {rootDirectory} (it holds {path}). Stop it, or give this one its own --root-directory and --runtime-directory.",
                problem);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
