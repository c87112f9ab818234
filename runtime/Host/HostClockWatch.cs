using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Vks.Runtime.Host;

/// <summary>Tells when somebody sets the host's clock: a timer that is never due is cancelled then (timerfd_create(2), Linux 3.0).</summary>
internal sealed unsafe class HostClockWatch : IDisposable
{
    private readonly SafeFileHandle _timer;
    private readonly Action _wasSet;
    private readonly Poller.Registration _cancelled;

    /// <summary>Begins to watch.</summary>
    /// <param name="wasSet">Called on the event loop's thread; must not block and must not throw.</param>
    /// <exception cref="HostException">The kernel refused.</exception>
    internal HostClockWatch(Action wasSet)
    {
        _wasSet = wasSet;
        const int NonBlocking = 0x800, CloseOnExec = 0x80000; // TFD_NONBLOCK, TFD_CLOEXEC
        int descriptor = Native.Check(NativeMethods.TimerCreate(NativeMethods.ClockRealtime, NonBlocking | CloseOnExec), "timerfd_create", "CLOCK_REALTIME");
        _timer = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            Arm(descriptor);
            _cancelled = Poller.Shared.Register(_timer, LibC.EPOLLIN, OnReady);
        }
        catch
        {
            _timer.Dispose();
            throw;
        }
    }

    /// <summary>Ends the watching; a call under way may still finish.</summary>
    public void Dispose()
    {
        _cancelled.Dispose();
        _timer.Dispose();
    }

    private void OnReady(Poller.Registration ready)
    {
        // Reading fails with ECANCELED, once for each time the clock is set; the timer must be armed anew to be told of the next.
        ulong count;
        _ = LibC.read(ready.Descriptor, &count, sizeof(ulong));
        _ = NativeMethods.TimerSet(ready.Descriptor, TimerFlags, Never(), null);
        _wasSet();
    }

    private const int TimerFlags = 1 | 2; // TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET

    private static void Arm(int descriptor) => Native.Check(NativeMethods.TimerSet(descriptor, TimerFlags, Never(), null), "timerfd_settime", "CLOCK_REALTIME");

    /// <summary>struct itimerspec: no period, due in the year 2262.</summary>
    private static long[] Never() => [0, 0, long.MaxValue / 1_000_000_000, 0];
}
