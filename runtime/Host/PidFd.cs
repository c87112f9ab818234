namespace Vks.Runtime.Host;

/// <summary>Holds on to one process, so that its id can never come to mean another one. Watched by one shared thread.</summary>
internal sealed class PidFd : IDisposable
{
    /// <summary>The process id.</summary>
    internal int Pid => throw new NotSupportedException();

    /// <summary>Completes when the process has ended, with its exit status if it is our child (and then reaps it). Never fails.</summary>
    internal Task<ProcessExit> Exited => throw new NotSupportedException();

    /// <summary>Takes hold of a process.</summary>
    /// <exception cref="HostException"><c>ESRCH</c>: no such process.</exception>
    internal static PidFd Open(int pid) => throw new NotSupportedException();

    /// <summary>Sends a signal; false when the process has already ended.</summary>
    /// <exception cref="HostException"><c>EPERM</c>: it belongs to another user.</exception>
    internal bool Signal(int signal) => throw new NotSupportedException();

    /// <summary>Lets go of the process; it goes on running.</summary>
    public void Dispose() => throw new NotSupportedException();
}
