using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Vks.Runtime.Host;
using Vks.Runtime.Qemu;
using Vks.Runtime.Qmp;

namespace Vks.Tests.Kit;

/// <summary>A real QEMU on TCG with a busybox guest whose console takes commands; killed and cleaned away at the end.</summary>
internal sealed class TinyGuest : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly string _folder;
    private readonly Socket _console;
    private readonly StringBuilder _said = new();
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    private TinyGuest(string folder, QemuProcess qemu, QmpClient qmp, Socket console)
    {
        _folder = folder;
        Qemu = qemu;
        Qmp = qmp;
        _console = console;
    }

    public QemuProcess Qemu { get; }

    public QmpClient Qmp { get; }

    public string MonitorPath => Path.Combine(_folder, "qmp.sock");

    /// <summary>Starts QEMU and connects to its monitor and console.</summary>
    public static async Task<TinyGuest> StartAsync(
        CancellationToken cancellationToken, Func<QemuSettings, QemuSettings>? change = null, Func<QemuLaunch, QemuLaunch>? changeLaunch = null)
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-qemu-").FullName;
        string initramfs = Path.Combine(folder, "initramfs.cpio");
        await TinyInitramfs.WriteAsync(initramfs, cancellationToken);
        QemuSettings settings = new()
        {
            Name = folder,
            Accelerator = QemuAccelerator.Tcg,
            MemoryMiB = 128,
            KernelPath = Path.Combine(SphereletProcess.GuestDirectory, "vmlinux"),
            InitramfsPath = initramfs,
            TscKHz = HostTsc.ReadKHz(),
        };
        using SafeHandle monitor = UnixSocket.Listen(Path.Combine(folder, "qmp.sock"));
        using SafeHandle agent = UnixSocket.Listen(Path.Combine(folder, "agent.sock"));
        using SafeHandle console = UnixSocket.Listen(Path.Combine(folder, "console.sock"));
        QemuLaunch launch = new() { Settings = change?.Invoke(settings) ?? settings, Monitor = monitor, Agent = agent, Console = console };
        QemuProcess qemu = await QemuProcess.StartAsync(changeLaunch?.Invoke(launch) ?? launch);
        try
        {
            Socket output = await UnixSocket.ConnectAsync(Path.Combine(folder, "console.sock"), cancellationToken);
            return new TinyGuest(folder, qemu, await ConnectAsync(Path.Combine(folder, "qmp.sock"), cancellationToken), output);
        }
        catch (Exception exception)
        {
            qemu.Kill();
            await qemu.Exited.WaitAsync(Deadline, cancellationToken);
            await qemu.OutputEnded.WaitAsync(Deadline, cancellationToken);
            throw new InvalidOperationException($"QEMU did not come up: {string.Join('\n', qemu.LastLines)}", exception);
        }
    }

    /// <summary>Connects to a monitor.</summary>
    public static async Task<QmpClient> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        Socket socket = await UnixSocket.ConnectAsync(path, cancellationToken);
        QmpTransport transport = new(new NetworkStream(socket, ownsSocket: true), (bytes, file, token) => FdPassing.SendAsync(socket, bytes, file, token));
        return await QmpClient.ConnectAsync(transport, TimeProvider.System, cancellationToken).WaitAsync(Deadline, cancellationToken);
    }

    /// <summary>Completes when the guest's shell takes commands.</summary>
    public Task WaitReadyAsync(CancellationToken cancellationToken) => ReadUntilAsync("guest-ready", cancellationToken);

    /// <summary>Runs a shell command in the guest and returns what it wrote.</summary>
    public async Task<string> RunAsync(string command, CancellationToken cancellationToken)
    {
        await _console.SendAsync(Encoding.UTF8.GetBytes(command + "\n"), cancellationToken);
        string output = await ReadUntilAsync("done-", cancellationToken);
        await ReadUntilAsync("\n", cancellationToken);
        return output.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        await Qmp.DisposeAsync();
        _console.Dispose();
        Qemu.Kill();
        await Qemu.Exited.WaitAsync(Deadline);
        Qemu.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<string> ReadUntilAsync(string mark, CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Deadline);
        byte[] bytes = new byte[4096];
        char[] chars = new char[4096];
        try
        {
            int at;
            while ((at = _said.ToString().IndexOf(mark, StringComparison.Ordinal)) < 0)
            {
                int count = await _console.ReceiveAsync(bytes, deadline.Token);
                if (count == 0)
                {
                    throw new InvalidOperationException($"The console ended before '{mark}'; it said: {_said}; QEMU: {string.Join('\n', Qemu.LastLines)}");
                }

                _said.Append(chars, 0, _decoder.GetChars(bytes, 0, count, chars, 0));
            }

            string before = _said.ToString(0, at);
            _said.Remove(0, at + mark.Length);
            return before;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The guest did not say '{mark}' within {Deadline.TotalSeconds} s; it said: {_said}");
        }
    }
}
