using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;

namespace Vks.Bench.Sections;

/// <summary>One boot of our kernel, with the very QEMU options a pod's machine has.</summary>
internal static class OwnBoot
{
    /// <summary>Boots and ends it; exec to PID 1, ms.</summary>
    /// <param name="folder">For its sockets.</param>
    /// <param name="kernel">Our vmlinux.</param>
    /// <param name="initramfs">Archive whose init writes <see cref="BootMark"/>.</param>
    /// <param name="isKvm">On KVM, else TCG.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="BenchException">PID 1 did not speak.</exception>
    public static async Task<double> RunAsync(string folder, string kernel, string initramfs, bool isKvm, CancellationToken cancellationToken)
    {
        string console = Path.Combine(folder, "console.sock");
        using SafeHandle monitorSocket = UnixSocket.Listen(Path.Combine(folder, "qmp.sock"));
        using SafeHandle agentSocket = UnixSocket.Listen(Path.Combine(folder, "agent.sock"));
        using SafeHandle consoleSocket = UnixSocket.Listen(console);
        QemuLaunch launch = new()
        {
            Settings = new QemuSettings
            {
                Name = folder,
                Accelerator = isKvm ? QemuAccelerator.Kvm : QemuAccelerator.Tcg,
                KernelPath = kernel,
                InitramfsPath = initramfs,
                TscKHz = HostTsc.ReadKHz(),
            },
            Monitor = monitorSocket,
            Agent = agentSocket,
            Console = consoleSocket,
        };
        long begin = Stopwatch.GetTimestamp();
        using QemuProcess qemu = await QemuProcess.StartAsync(launch);
        try
        {
            using Socket output = await UnixSocket.ConnectAsync(console, cancellationToken);
            return Stopwatch.GetElapsedTime(begin, await BootMark.WaitAsync(output, cancellationToken)).TotalMilliseconds;
        }
        finally
        {
            qemu.Kill();
            await qemu.Exited;
        }
    }
}
