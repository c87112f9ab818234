using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>A program started by us, which outlives us if it must.</summary>
/// <remarks>It runs in a session of its own, without a parent-death signal, so the end of the daemon does not touch it.</remarks>
internal sealed class ChildProcess : IDisposable
{
    private const int TailBytes = 16 * 1024;

    private readonly SafeFileHandle _output;
    private readonly Poller.Registration _reading;
    private readonly TaskCompletionSource _outputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _tailLock = new();
    private byte[] _tail = [];

    private ChildProcess(PidFd process, SafeFileHandle output)
    {
        Process = process;
        _output = output;
        _reading = Poller.Shared.Register(output, LibC.EPOLLIN, ReadOutput);
    }

    /// <summary>Takes hold of it, signals it, tells when it ended.</summary>
    internal PidFd Process { get; }

    /// <summary>Completes when nothing can write to its output any more; <see cref="OutputTail"/> is whole then.</summary>
    internal Task OutputEnded => _outputEnded.Task;

    /// <summary>The last 16 KiB of what it wrote to stdout and stderr.</summary>
    internal string OutputTail
    {
        get
        {
            lock (_tailLock)
            {
                return Encoding.UTF8.GetString(_tail);
            }
        }
    }

    /// <summary>Starts the program; completes once it has been executed.</summary>
    /// <exception cref="HostException">Names the step that failed; nothing runs then.</exception>
    internal static async Task<ChildProcess> StartAsync(ChildSettings settings)
    {
        (SafeFileHandle read, SafeFileHandle write) = MakePipe();
        try
        {
            int pid;
            _ = Poller.Shared; // Its thread must not be made by the one that takes on the child's identity.
            using (write)
            {
                pid = await DedicatedThread.RunAsync("vks-spawn", () => Spawner.Spawn(settings, write));
            }

            // Our own unreaped child: its id cannot have been given to another process.
            PidFd process = PidFd.Open(pid);
            try
            {
                settings.Cgroup?.Add(pid);
                return new ChildProcess(process, read);
            }
            catch
            {
                process.Signal(LibC.SIGKILL);
                await process.Exited;
                process.Dispose();
                throw;
            }
        }
        catch
        {
            read.Dispose();
            throw;
        }
    }

    /// <summary>Lets go of the process; it goes on running.</summary>
    public void Dispose()
    {
        _reading.Dispose();
        _output.Dispose();
        Process.Dispose();
        _outputEnded.TrySetResult();
    }

    private static unsafe (SafeFileHandle Read, SafeFileHandle Write) MakePipe()
    {
        int* ends = stackalloc int[2];
        Native.Check(LibC.pipe2(ends, LibC.O_CLOEXEC), "pipe2", "the child's output");
        SafeFileHandle read = new(ends[0], ownsHandle: true);
        SafeFileHandle write = new(ends[1], ownsHandle: true);
        Native.Check(LibC.fcntl(ends[0], LibC.F_SETFL, LibC.O_NONBLOCK), "fcntl(F_SETFL)", "the child's output");
        return (read, write);
    }

    private unsafe void ReadOutput(Poller.Registration registration)
    {
        const int ChunkBytes = 4096;
        byte* chunk = stackalloc byte[ChunkBytes];
        long count = (long)LibC.read(registration.Descriptor, chunk, ChunkBytes);
        if (count > 0)
        {
            lock (_tailLock)
            {
                int kept = Math.Min(_tail.Length, TailBytes - (int)count);
                _tail = [.. _tail.AsSpan(_tail.Length - kept), .. new ReadOnlySpan<byte>(chunk, (int)count)];
            }
        }
        else if (count == 0 || (LibC.errno != LibC.EAGAIN && LibC.errno != LibC.EINTR))
        {
            registration.Dispose();
            _outputEnded.TrySetResult();
        }
    }
}
