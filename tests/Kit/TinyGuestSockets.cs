using System.Runtime.InteropServices;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;

namespace Vks.Tests.Kit;

/// <summary>What a start of QEMU needs to be handed, for starts that are meant to fail. Deletes its folder.</summary>
internal sealed class TinyGuestSockets(string folder) : IAsyncDisposable
{
    private readonly SafeHandle _monitor = UnixSocket.Listen(Path.Combine(folder, "qmp.sock"));
    private readonly SafeHandle _agent = UnixSocket.Listen(Path.Combine(folder, "agent.sock"));
    private readonly SafeHandle _console = UnixSocket.Listen(Path.Combine(folder, "console.sock"));

    public QemuLaunch Launch(string kernelPath) => new()
    {
        Settings = new QemuSettings { Name = folder, Accelerator = QemuAccelerator.Tcg, MemoryMiB = 128, KernelPath = kernelPath, InitramfsPath = "/etc/hostname" },
        Monitor = _monitor,
        Agent = _agent,
        Console = _console,
    };

    public ValueTask DisposeAsync()
    {
        _monitor.Dispose();
        _agent.Dispose();
        _console.Dispose();
        Directory.Delete(folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}
