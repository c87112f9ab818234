using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;
using Vks.Spherelet.Client;
using Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Kit;

/// <summary>
/// One host of our own: a registry with the demo image and a daemon, both on folders below <c>/tmp/vks-test-*</c>. Shared by the end-to-end
/// tests, which run one after another; taken down with proof that nothing is left.
/// </summary>
public sealed partial class NodeLab : IAsyncLifetime
{
    private readonly List<DemoRegistry> _registries = [];
    private readonly HashSet<string> _podIds = [];
    private LeakCheck? _before;

    /// <summary>Everything of this lab lies below it. Short, because socket paths are.</summary>
    internal string Directory { get; } = Path.Combine("/tmp", string.Create(CultureInfo.InvariantCulture, $"vks-test-{Random.Shared.Next():x8}"));

    internal SphereletProcess Daemon { get; private set; } = null!;

    internal string Image { get; private set; } = "";

    internal CriClient Cri => Daemon.Cri;

    /// <summary>Bridge of this lab's pods.</summary>
    internal string BridgeName { get; } = string.Create(CultureInfo.InvariantCulture, $"vkt{Random.Shared.Next() & 0xffffff:x6}");

    private string[] DaemonArguments { get; set; } = [];

    public async ValueTask InitializeAsync()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        _before = TakeLeakCheck();
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "cni"));
        DemoRegistry registry = await DemoRegistry.StartAsync(Path.Combine(Directory, "registry"), cancellationToken);
        _registries.Add(registry);
        Image = await registry.PushDemoAsync(cancellationToken);
        DaemonArguments =
        [
            "--bridge-name", BridgeName,
            "--pod-subnets", string.Create(CultureInfo.InvariantCulture, $"10.{Random.Shared.Next(100, 200)}.0.0/16"),
            "--cni-config-directory", Path.Combine(Directory, "cni"),
        ];
        Daemon = await SphereletProcess.StartAsync(Directory, cancellationToken, DaemonArguments);
        await Cri.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = Image } }, cancellationToken: cancellationToken);
    }

    /// <summary>Starts the daemon anew on the same folders.</summary>
    internal async Task RestartDaemonAsync(CancellationToken cancellationToken)
    {
        await Daemon.DisposeAsync();
        RememberPods();
        Daemon = await SphereletProcess.StartAsync(Directory, cancellationToken, DaemonArguments);
    }

    /// <summary>What this lab has on the host now.</summary>
    internal LeakCheck TakeLeakCheck()
    {
        RememberPods();
        return LeakCheck.Take(Directory, Daemon?.Pid ?? 0, _podIds, BridgeName);
    }

    /// <summary>Pod ids from the daemon's words and folders: what a killed daemon began may be known from only one of them.</summary>
    private void RememberPods()
    {
        _podIds.UnionWith(PodId().Matches(Daemon?.Log ?? "").Select(match => match.Value));
        _podIds.UnionWith(new[] { "root/pods", "root/machines", "root/cni/pods" }.Select(folder => Path.Combine(Directory, folder))
            .Where(System.IO.Directory.Exists).SelectMany(System.IO.Directory.EnumerateFileSystemEntries)
            .SelectMany(path => PodId().Matches(Path.GetFileName(path))).Select(match => match.Value));
    }

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex PodId();

    /// <summary>Removes every pod.</summary>
    internal async Task RemoveAllPodsAsync(CancellationToken cancellationToken)
    {
        foreach (PodSandbox pod in (await Cri.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), cancellationToken: cancellationToken)).Items)
        {
            await Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
            await Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Daemon is not null)
        {
            await RemoveAllPodsAsync(CancellationToken.None);
            RememberPods();
            await Daemon.StopAsync();
            await Daemon.DisposeAsync();
        }

        foreach (DemoRegistry registry in _registries)
        {
            await registry.DisposeAsync();
        }

        await Cli.Wrap("ip").WithArguments(["link", "delete", BridgeName]).WithValidation(CommandResultValidation.None).ExecuteAsync();
        LeakCheck after = await LeakCheck.SettleAsync(TakeLeakCheck, _before!, CancellationToken.None);
        Assert.Empty(_before!.Differences(after));
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}

/// <summary>The real docker-registry on a loopback port of its own.</summary>
internal sealed class DemoRegistry : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _log;
    private Task _running = Task.CompletedTask;

    private DemoRegistry(string address, string log) => (Address, _log) = (address, log);

    /// <summary><c>127.0.0.1:port</c>.</summary>
    public string Address { get; }

    public static async Task<DemoRegistry> StartAsync(string directory, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        string address = $"127.0.0.1:{FreePort()}";
        string settings = Path.Combine(directory, "config.yml");
        await File.WriteAllTextAsync(settings, $$"""
            version: 0.1
            log: { level: warn }
            storage: { filesystem: { rootdirectory: {{directory}}/data } }
            http: { addr: "{{address}}" }
            """, cancellationToken);
        DemoRegistry registry = new(address, Path.Combine(directory, "log"));
        registry._running = RunAsync(settings, registry._log, registry._stop.Token);
        await registry.WaitUntilListeningAsync(cancellationToken);
        return registry;
    }

    /// <summary>Builds the demo image when needed and pushes it.</summary>
    /// <returns>Its name in this registry.</returns>
    public async Task<string> PushDemoAsync(CancellationToken cancellationToken)
    {
        string layout = RepositoryRoot.Combine("artifacts", "demo");
        await RequireAsync(RepositoryRoot.Combine("images", "build.sh"), ["demo", layout], cancellationToken);
        string image = $"{Address}/vks/demo:latest";
        await RequireAsync("skopeo", ["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", $"oci:{layout}:demo", $"docker://{image}"], cancellationToken);
        return image;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(TimeSpan.FromSeconds(10));
        _stop.Dispose();
    }

    private static async Task RequireAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        BufferedCommandResult result = await Cli.Wrap(program).WithArguments(arguments)
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        Assert.True(result.IsSuccess, $"{program} {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.StandardOutput}{result.StandardError}");
    }

    private static async Task RunAsync(string settings, string log, CancellationToken stop)
    {
        try
        {
            await Cli.Wrap("docker-registry").WithArguments(["serve", settings])
                .WithStandardOutputPipe(PipeTarget.ToFile(log)).WithStandardErrorPipe(PipeTarget.ToFile(log + ".err"))
                .WithValidation(CommandResultValidation.None).ExecuteAsync(stop);
        }
        catch (OperationCanceledException)
        {
            // We ended it ourselves.
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task WaitUntilListeningAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(20));
        while (true)
        {
            Assert.False(_running.IsCompleted || deadline.IsCancellationRequested,
                $"docker-registry did not listen on {Address}. Its log:\n{(File.Exists(_log + ".err") ? await File.ReadAllTextAsync(_log + ".err", CancellationToken.None) : "")}");
            using TcpClient probe = new();
            try
            {
                await probe.ConnectAsync(IPEndPoint.Parse(Address), deadline.Token);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                // Reported at the top of the loop.
            }
        }
    }
}
