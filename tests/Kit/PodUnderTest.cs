using System.Globalization;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;

namespace Vks.Tests.Kit;

/// <summary>One pod of a test, made by CRI calls alone and removed at the end.</summary>
internal sealed class PodUnderTest : IAsyncDisposable
{
    private readonly NodeLab _lab;
    private uint _containers;

    private PodUnderTest(NodeLab lab, PodSandboxConfig config) => (_lab, Config) = (lab, config);

    public PodSandboxConfig Config { get; }

    public string Id { get; private set; } = "";

    public string LogDirectory => Config.LogDirectory;

    private CriClient Cri => _lab.Cri;

    /// <summary>A sandbox config with a name of its own.</summary>
    public static PodSandboxConfig NewConfig(NodeLab lab)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"pod-{Random.Shared.Next():x8}");
        return new PodSandboxConfig
        {
            Metadata = new PodSandboxMetadata { Name = name, Namespace = "test", Uid = Guid.NewGuid().ToString(), Attempt = 0 },
            Hostname = name,
            LogDirectory = Path.Combine(lab.Directory, "logs", name),
            Linux = new LinuxPodSandboxConfig(),
        };
    }

    public static async Task<PodUnderTest> RunAsync(NodeLab lab, CancellationToken cancellationToken, PodSandboxConfig? config = null)
    {
        PodUnderTest pod = new(lab, config ?? NewConfig(lab));
        pod.Id = (await lab.Cri.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = pod.Config }, cancellationToken: cancellationToken)).PodSandboxId;
        return pod;
    }

    /// <summary>Makes a container; nothing runs yet.</summary>
    public async Task<string> CreateAsync(CancellationToken cancellationToken, Action<ContainerConfig>? change = null, params string[] command)
    {
        ContainerConfig config = new()
        {
            Metadata = new ContainerMetadata { Name = string.Create(CultureInfo.InvariantCulture, $"c{_containers++}"), Attempt = 0 },
            Image = new ImageSpec { Image = _lab.Image },
            Command = { command },
            Linux = new LinuxContainerConfig(),
        };
        config.LogPath = $"{config.Metadata.Name}/0.log";
        change?.Invoke(config);
        return (await Cri.Runtime.CreateContainerAsync(
            new CreateContainerRequest { PodSandboxId = Id, Config = config, SandboxConfig = Config }, cancellationToken: cancellationToken)).ContainerId;
    }

    /// <summary>Makes and starts a container.</summary>
    public async Task<string> StartAsync(CancellationToken cancellationToken, params string[] command)
    {
        string id = await CreateAsync(cancellationToken, null, command);
        await Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: cancellationToken);
        return id;
    }

    /// <summary>Runs a command and returns what it wrote to standard output; fails the test when it does not exit with 0.</summary>
    public async Task<string> ExecAsync(string containerId, CancellationToken cancellationToken, params string[] command)
    {
        ExecSyncResponse result = await Cri.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = containerId, Cmd = { command }, Timeout = 30 }, cancellationToken: cancellationToken);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', command)} ended with {result.ExitCode}: {result.Stderr.ToStringUtf8()}");
        return result.Stdout.ToStringUtf8();
    }

    public async Task<ContainerStatus> ContainerStatusAsync(string containerId, CancellationToken cancellationToken) =>
        (await Cri.Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = containerId }, cancellationToken: cancellationToken)).Status;

    public async Task<PodSandboxStatus> StatusAsync(CancellationToken cancellationToken) =>
        (await Cri.Runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = Id }, cancellationToken: cancellationToken)).Status;

    /// <summary>Waits until the container has exited.</summary>
    public async Task<ContainerStatus> WaitExitedAsync(string containerId, TimeSpan deadline, CancellationToken cancellationToken)
    {
        ContainerStatus status = null!;
        await Eventually.TrueAsync(
            async () => (status = await ContainerStatusAsync(containerId, cancellationToken)).State == ContainerState.ContainerExited,
            deadline, () => $"container {containerId} did not exit: {status}\nDaemon log:\n{_lab.Daemon.Log}", cancellationToken);
        return status;
    }

    /// <summary>The container's log as the host has it.</summary>
    public string ReadLog(string name) => File.ReadAllText(Path.Combine(LogDirectory, name, "0.log"));

    /// <summary>The whole lines of a container's log.</summary>
    public IEnumerable<string> ReadLines(string name) =>
        ReadLog(name).Split('\n').Where(line => line.Contains(" F ", StringComparison.Ordinal)).Select(line => line[(line.IndexOf(" F ", StringComparison.Ordinal) + 3)..]);

    /// <summary>The process of the pod's machine.</summary>
    public int QemuPid() => int.Parse(
        Assert.Single(_lab.TakeLeakCheck().Processes, line => line.Contains("qemu-system", StringComparison.Ordinal) && line.Contains(Id, StringComparison.Ordinal)).Split(' ')[0],
        CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        await Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = Id });
        await Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = Id });
    }
}

/// <summary>Waits with a deadline for what comes by itself.</summary>
internal static class Eventually
{
    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan deadline, Func<string> explain, CancellationToken cancellationToken)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (System.Diagnostics.Stopwatch.GetElapsedTime(start) > deadline)
            {
                Assert.Fail($"Not within {deadline.TotalSeconds:F1} s: {explain()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
        }
    }
}
