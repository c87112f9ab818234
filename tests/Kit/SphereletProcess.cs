using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using CliWrap;
using CliWrap.EventStream;
using Vks.Spherelet.Protos;

namespace Vks.Tests.Kit;

/// <summary>The published daemon as a process of its own, with its own folders, driven as a user drives it.</summary>
internal sealed class SphereletProcess : IAsyncDisposable
{
    private readonly StringBuilder _log = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private bool _disposed;

    private SphereletProcess(string labDirectory) => LabDirectory = labDirectory;

    /// <summary>Holds <c>root</c>, <c>run</c> and <c>logs</c> of this daemon.</summary>
    public string LabDirectory { get; }

    public string SocketPath => Path.Combine(LabDirectory, "run", "spherelet.sock");

    public int Pid { get; private set; }

    /// <summary>The daemon as a kubelet sees it.</summary>
    public CriClient Cri { get; private set; } = null!;

    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    /// <summary>The binary under test: what <c>./vks</c> publishes, or the one VKS_SPHERELET names.</summary>
    public static string Binary =>
        Environment.GetEnvironmentVariable("VKS_SPHERELET")
        ?? RepositoryRoot.Combine("artifacts", "publish", "Vks.Spherelet", "release_linux-x64", "spherelet");

    public static string GuestDirectory =>
        Environment.GetEnvironmentVariable("VKS_GUEST_DIR") ?? RepositoryRoot.Combine("artifacts", "guest");

    /// <summary>Where NRI plugins connect.</summary>
    public string NriSocketPath => Path.Combine(Path.GetDirectoryName(SocketPath)!, "nri.sock");

    /// <summary>Starts the daemon and waits, at most 30 s, until its socket takes connections.</summary>
    public static async Task<SphereletProcess> StartAsync(string labDirectory, CancellationToken cancellationToken, params string[] moreArguments)
    {
        Assert.True(File.Exists(Binary), $"{Binary} is missing: run ./vks test, or dotnet publish spherelet first.");
        Assert.True(File.Exists(Path.Combine(GuestDirectory, "vmlinux")), $"{GuestDirectory}/vmlinux is missing: run images/build.sh guest first.");
        Directory.CreateDirectory(labDirectory);
        SphereletProcess daemon = new(labDirectory);
        Command command = Cli.Wrap(Binary)
            .WithArguments(["serve",
                "--root-directory", Path.Combine(labDirectory, "root"), "--runtime-directory", Path.Combine(labDirectory, "run"),
                "--guest-directory", GuestDirectory, "--socket", daemon.SocketPath, "--nri-socket", daemon.NriSocketPath,
                "--nri-plugin-directory", Path.Combine(labDirectory, "plugins"), "--nri-plugin-config-directory", Path.Combine(labDirectory, "plugins.conf"),
                .. moreArguments])
            .WithValidation(CommandResultValidation.None);
        daemon._running = daemon.PumpAsync(command);
        try
        {
            await daemon.WaitUntilListeningAsync(cancellationToken);
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }

        return daemon;
    }

    /// <summary>kill -9 of the daemon alone, and waits until it is gone. Its machines are children and go on.</summary>
    public async Task KillAsync()
    {
        if (!_running.IsCompleted && Pid != 0)
        {
            // Not by a token of CliWrap, which kills the whole tree.
            try
            {
                using Process daemon = Process.GetProcessById(Pid);
                daemon.Kill();
            }
            catch (ArgumentException)
            {
                // It has ended in this moment.
            }
        }

        await _running.WaitAsync(TimeSpan.FromSeconds(10));
    }

    /// <summary>SIGTERM, then SIGKILL after 20 s; machines go on.</summary>
    public async Task StopAsync()
    {
        // By number: CliWrap would send SIGINT, which a background job of a shell has ignored from its start.
        if (!_running.IsCompleted)
        {
            _ = Tmds.Linux.LibC.kill(Pid, Tmds.Linux.LibC.SIGTERM);
        }

        if (await Task.WhenAny(_running, Task.Delay(TimeSpan.FromSeconds(20))) != _running)
        {
            await KillAsync();
            Assert.Fail($"spherelet did not end within 20 s of SIGTERM. Its log:\n{Log}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Cri?.Dispose();
        await KillAsync();
    }

    private async Task PumpAsync(Command command)
    {
        await foreach (CommandEvent happened in command.ListenAsync(Encoding.UTF8, Encoding.UTF8, CancellationToken.None))
        {
            switch (happened)
            {
                case StartedCommandEvent started:
                    Pid = started.ProcessId;
                    _ready.TrySetResult();
                    break;
                case StandardOutputCommandEvent line:
                    Append(line.Text);
                    break;
                case StandardErrorCommandEvent line:
                    Append(line.Text);
                    break;
                default:
                    break;
            }
        }
    }

    private void Append(string line)
    {
        lock (_log)
        {
            _log.AppendLine(line);
        }
    }

    private async Task WaitUntilListeningAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(30));
        while (true)
        {
            if (_running.IsCompleted || deadline.IsCancellationRequested)
            {
                Assert.Fail($"spherelet {(_running.IsCompleted ? "ended" : "did not listen within 30 s")}. Its log:\n{Log}");
            }

            using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await probe.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), deadline.Token);
                break;
            }
            catch (SocketException)
            {
                await Task.WhenAny(_running, Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None));
            }
            catch (OperationCanceledException)
            {
                // Reported at the top of the loop.
            }
        }

        await _ready.Task.WaitAsync(TimeSpan.FromSeconds(5), cancellationToken);
        Cri = new CriClient(SocketPath);
    }
}
