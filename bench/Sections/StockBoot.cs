using System.Diagnostics;
using System.Net.Sockets;
using Tmds.Linux;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;

namespace Vks.Bench.Sections;

/// <summary>One boot of Debian's own kernel, as Debian ships it, on one of QEMU's machines. Processor model, memory and init are those of our boots.</summary>
internal static class StockBoot
{
    /// <summary>Boots and ends it; exec to PID 1, ms.</summary>
    /// <param name="folder">For its socket.</param>
    /// <param name="machine">QEMU's machine: <c>pc</c>, <c>q35</c> or <c>microvm</c>.</param>
    /// <param name="kernel">Debian's vmlinuz.</param>
    /// <param name="initramfs">Archive whose init writes <see cref="BootMark"/>.</param>
    /// <param name="isKvm">On KVM, else TCG.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="BenchException">PID 1 did not speak.</exception>
    public static async Task<double> RunAsync(
        string folder, string machine, string kernel, string initramfs, bool isKvm, CancellationToken cancellationToken)
    {
        string console = Path.Combine(folder, "stock.sock");
        File.Delete(console);
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(console));
        listener.Listen(1);
        ChildSettings settings = new()
        {
            Program = QemuProbe.FindProgram("qemu-system-x86_64"),
            Arguments =
            [
                "-M", machine, "-accel", isKvm ? "kvm" : "tcg", "-cpu", isKvm ? "host" : "max", "-smp", "1", "-m", "512M",
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-chardev", $"socket,id=console,path={console}", "-serial", "chardev:console",
                "-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=-1",
            ],
        };
        long begin = Stopwatch.GetTimestamp();
        using ChildProcess qemu = await ChildProcess.StartAsync(settings);
        try
        {
            Task<Socket> accepted = listener.AcceptAsync(cancellationToken).AsTask();
            if (await Task.WhenAny(accepted, qemu.Process.Exited) != accepted)
            {
                throw new BenchException($"QEMU (-M {machine}) ended at once: {await qemu.Process.Exited}; it wrote: {qemu.OutputTail}");
            }

            using Socket output = await accepted;
            return Stopwatch.GetElapsedTime(begin, await BootMark.WaitAsync(output, cancellationToken)).TotalMilliseconds;
        }
        finally
        {
            qemu.Process.Signal(LibC.SIGKILL);
            await qemu.Process.Exited;
        }
    }
}
