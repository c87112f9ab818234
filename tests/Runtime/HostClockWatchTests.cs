using System.Runtime.InteropServices;
using Vks.Runtime.Host;

namespace Vks.Tests.Runtime;

/// <summary>Being told that the host's clock was set. That it is told is not tried here, since it would mean to set this machine's clock.</summary>
public sealed partial class HostClockWatchTests
{
    [Fact]
    public async Task It_is_silent_while_the_clock_stays_as_it_is_and_holds_one_descriptor()
    {
        var told = 0;
        int before = Timers();
        using (var watch = new HostClockWatch(() => Interlocked.Increment(ref told)))
        {
            // The kernel counts it as setting the clock, but it is what it was: adjtimex(2), ADJ_SETOFFSET by nothing. Without the right to do so nothing happens either.
            byte[] change = new byte[208];
            BitConverter.TryWriteBytes(change, 0x0100);
            _ = AdjustTime(change);
            await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);

            Assert.Equal(before + 1, Timers());
        }

        Assert.Equal(0, told);
        Assert.Equal(before, Timers());
    }

    private static int Timers() => Directory.EnumerateFileSystemEntries("/proc/self/fdinfo").Count(path =>
    {
        try
        {
            // clockid 0 is CLOCK_REALTIME; .NET's own timers are not of this kind.
            return File.ReadAllText(path).Contains("clockid: 0", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // Closed while we looked.
        }
    });

    [LibraryImport("libc", EntryPoint = "adjtimex", SetLastError = true)]
    private static partial int AdjustTime(byte[] change);
}
