using System.Runtime.InteropServices;

namespace Vks.Agent.Host;

/// <summary>The only caller of waitpid(2): reaps our children and every orphan, and hands each exit to who asked for it.</summary>
/// <remarks>
/// A pid is free for reuse the moment it is reaped, so reaping, spawning and signalling share one lock. The thread blocks in
/// waitid(2) without reaping, takes the lock, and only then reaps.
/// </remarks>
internal sealed unsafe class Reaper : IDisposable
{
    private const int UnclaimedCapacity = 1024;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, TaskCompletionSource<ChildExit>> _waiters = [];
    private readonly Dictionary<int, (long Sequence, ChildExit Exit)> _unclaimed = [];
    private readonly Queue<int> _unclaimedOrder = new();
    private readonly AutoResetEvent _spawned = new(false);
    private long _sequence;
    private bool _started;

    /// <summary>A mark in the order of exits, for <see cref="AdoptAsync"/>.</summary>
    internal long Now
    {
        get
        {
            lock (_lock)
            {
                return _sequence;
            }
        }
    }

    /// <summary>Starts a child by <paramref name="spawn"/>, which returns its pid, and gives its exit.</summary>
    internal (int Pid, Task<ChildExit> Exit) Spawn(Func<int> spawn)
    {
        lock (_lock)
        {
            int pid = spawn();
            var waiter = new TaskCompletionSource<ChildExit>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters[pid] = waiter;
            Start();
            _spawned.Set();
            return (pid, waiter.Task);
        }
    }

    /// <summary>Starts the thread that reaps. <see cref="Spawn"/> does it too, but not every thread can start another.</summary>
    internal void Start()
    {
        lock (_lock)
        {
            if (!_started)
            {
                // Before the first child there is nothing to reap, and a thread takes a guest's start some milliseconds.
                _started = true;
                new Thread(Run, 128 * 1024) { IsBackground = true, Name = "reaper" }.Start();
            }
        }
    }

    /// <summary>Gives the exit of a process that was or will be reparented to us.</summary>
    /// <param name="pid">The process; it lived at <paramref name="since"/> or later.</param>
    /// <param name="since">What <see cref="Now"/> said before the process was started: older exits of that pid are another's.</param>
    internal Task<ChildExit> AdoptAsync(int pid, long since)
    {
        lock (_lock)
        {
            if (_unclaimed.Remove(pid, out var ended) && ended.Sequence > since)
            {
                return Task.FromResult(ended.Exit);
            }

            var waiter = new TaskCompletionSource<ChildExit>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters[pid] = waiter;
            return waiter.Task;
        }
    }

    /// <summary>Sends a signal to a process we wait for; false when it has ended.</summary>
    internal bool Signal(int pid, int signal)
    {
        lock (_lock)
        {
            return _waiters.ContainsKey(pid) && Libc.Kill(pid, signal) == 0;
        }
    }

    /// <summary>A descriptor of a process we wait for, pidfd_open(2), close-on-exec; negative when it has ended.</summary>
    internal int Open(int pid)
    {
        const int PidfdOpenCall = 434;
        lock (_lock)
        {
            return _waiters.ContainsKey(pid) ? (int)Libc.SystemCall(PidfdOpenCall, pid, 0, 0, 0) : -1;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _spawned.Dispose();

    private void Run()
    {
        const int ByAll = 0, Exited = 4, NoReap = 0x01000000;
        byte* info = stackalloc byte[128];
        while (true)
        {
            int waited = Libc.WaitId(ByAll, 0, info, Exited | NoReap);
            if (waited < 0)
            {
                if (Marshal.GetLastPInvokeError() == Constants.NoChild)
                {
                    // Without a child there is no descendant either; the next one comes from Spawn.
                    _spawned.WaitOne();
                }

                continue;
            }

            Reap();
        }
    }

    private void Reap()
    {
        const int NoHang = 1;
        while (true)
        {
            TaskCompletionSource<ChildExit>? waiter;
            ChildExit exit;
            lock (_lock)
            {
                int status;
                int pid = Libc.WaitPid(-1, &status, NoHang);
                if (pid <= 0)
                {
                    return;
                }

                exit = ChildExit.FromStatus(status);
                _sequence++;
                if (!_waiters.Remove(pid, out waiter))
                {
                    Keep(pid, exit);
                }
            }

            waiter?.TrySetResult(exit);
        }
    }

    private void Keep(int pid, ChildExit exit)
    {
        _unclaimed[pid] = (_sequence, exit);
        _unclaimedOrder.Enqueue(pid);
        if (_unclaimedOrder.Count > UnclaimedCapacity)
        {
            _unclaimed.Remove(_unclaimedOrder.Dequeue());
        }
    }
}
