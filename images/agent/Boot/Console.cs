using System.Text;
using Vks.Agent.Host;

namespace Vks.Agent.Boot;

/// <summary>Lines on the guest's console, for a person who looks at a pod that misbehaves.</summary>
/// <remarks>System.Console is avoided: its first use costs several milliseconds.</remarks>
internal static unsafe class Console
{
    private static readonly Lock _lock = new();
    private static int _fd = 2;

    /// <summary>Goes on to /dev/console once it exists.</summary>
    internal static void Open()
    {
        int fd = Libc.Open("/dev/console", Constants.OpenWriteOnly | Constants.OpenCloseOnExec | Constants.OpenNoControllingTerminal, 0);
        if (fd >= 0)
        {
            _fd = fd;
        }
    }

    /// <summary>Writes one line.</summary>
    internal static void Log(string line)
    {
        byte[] bytes = Encoding.UTF8.GetBytes("agent: " + line + "\n");
        lock (_lock)
        {
            fixed (byte* start = bytes)
            {
                _ = Libc.Write(_fd, start, (nuint)bytes.Length);
            }
        }
    }
}
