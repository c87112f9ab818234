using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Holds on to one process (pidfd_open(2), Linux 5.3), so that its id can never come to mean another one. Watched by one shared thread.</summary>
internal sealed unsafe class PidFd : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly Poller.Registration _registration;
    private readonly TaskCompletionSource<ProcessExit> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PidFd(int pid, SafeFileHandle handle)
    {
        Pid = pid;
        _handle = handle;
        _registration = Poller.Shared.Register(handle, LibC.EPOLLIN, OnEnded);
    }

    /// <summary>The process id.</summary>
    internal int Pid { get; }

    /// <summary>Completes when the process has ended, with its exit status if it is our child (and then reaps it). Never fails; never completes after <see cref="Dispose"/>.</summary>
    internal Task<ProcessExit> Exited => _exited.Task;

    /// <summary>Takes hold of a process.</summary>
    /// <exception cref="HostException"><c>ESRCH</c>: no such process.</exception>
    internal static PidFd Open(int pid)
    {
        // pidfds are close-on-exec by themselves.
        int descriptor = Native.Check((int)(long)LibC.syscall(NativeMethods.SyscallPidfdOpen, pid, 0), "pidfd_open", $"process {pid}");
        SafeFileHandle handle = new(descriptor, ownsHandle: true);
        try
        {
            return new PidFd(pid, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Sends a signal; false when the process has already ended.</summary>
    /// <exception cref="HostException"><c>EPERM</c>: it belongs to another user.</exception>
    internal bool Signal(int signal)
    {
        long result = (long)LibC.syscall(NativeMethods.SyscallPidfdSendSignal, (int)_handle.DangerousGetHandle(), signal, 0, 0);
        if (result == 0)
        {
            return true;
        }

        int errno = LibC.errno;
        return errno == LibC.ESRCH ? false : throw new HostException("pidfd_send_signal", $"process {Pid}", errno);
    }

    /// <summary>Lets go of the process; it goes on running.</summary>
    public void Dispose()
    {
        _registration.Dispose();
        _handle.Dispose();
    }

    private void OnEnded(Poller.Registration registration)
    {
        // The registration keeps the descriptor open until it is disposed.
        ProcessExit exit = Reap(registration.Descriptor);
        registration.Dispose();
        _exited.TrySetResult(exit);
    }

    private static ProcessExit Reap(int descriptor)
    {
        byte* siginfo = stackalloc byte[128];
        new Span<byte>(siginfo, 128).Clear();
        if (NativeMethods.WaitId(NativeMethods.PidFdIdType, descriptor, siginfo, NativeMethods.WaitExited) != 0)
        {
            return ProcessExit.Unknown; // ECHILD: not our child.
        }

        int code = *(int*)(siginfo + 8);
        int status = *(int*)(siginfo + 24);
        return code == NativeMethods.ChildExitedCode ? new ProcessExit(status, null) : new ProcessExit(null, status);
    }
}
