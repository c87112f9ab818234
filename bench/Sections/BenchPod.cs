using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Vks.Bench.Arms;
using Vks.Bench.Results;
using Vks.Spherelet.Cri.V1;

namespace Vks.Bench.Sections;

/// <summary>One pod with one container, by CRI calls alone.</summary>
internal sealed class BenchPod : IAsyncDisposable
{
    private static int s_count;

    private readonly Arm _arm;
    private readonly string _image;
    private readonly PodSandboxConfig _config;
    private string _containerId = "";

    /// <summary>Names a pod; nothing is called yet.</summary>
    /// <param name="arm">Where it is to run.</param>
    /// <param name="image">Image with a shell.</param>
    public BenchPod(Arm arm, string image)
    {
        _arm = arm;
        _image = image;
        string name = string.Create(CultureInfo.InvariantCulture, $"bench-{Interlocked.Increment(ref s_count)}");
        _config = new PodSandboxConfig
        {
            Metadata = new PodSandboxMetadata { Name = name, Namespace = "vks-bench", Uid = name, Attempt = 0 },
            Hostname = name,
            LogDirectory = Path.Combine(arm.Directory, "logs", name),
            Linux = new LinuxPodSandboxConfig(),
        };
        Directory.CreateDirectory(Path.GetDirectoryName(LogPath)!);
    }

    /// <summary>Its id, once it runs.</summary>
    public string Id { get; private set; } = "";

    /// <summary>The container's log file.</summary>
    public string LogPath => Path.Combine(_config.LogDirectory, "main", "0.log");

    /// <summary>RunPodSandbox; how long it took, ms.</summary>
    public async Task<double> RunAsync(CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        Id = (await _arm.Cri.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = _config }, cancellationToken: cancellationToken)).PodSandboxId;
        double elapsed = Since(begin);
        _arm.Remember(Id);
        return elapsed;
    }

    /// <summary>CreateContainer; how long it took, ms.</summary>
    /// <param name="command">Command of the container.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="mounts">Host folders in the container.</param>
    public async Task<double> CreateAsync(IReadOnlyList<string> command, CancellationToken cancellationToken, params Mount[] mounts)
    {
        CreateContainerRequest request = new()
        {
            PodSandboxId = Id,
            SandboxConfig = _config,
            Config = new ContainerConfig
            {
                Metadata = new ContainerMetadata { Name = "main", Attempt = 0 },
                Image = new ImageSpec { Image = _image },
                Command = { command },
                LogPath = "main/0.log",
                Linux = new LinuxContainerConfig(),
                Mounts = { mounts },
            },
        };
        long begin = Stopwatch.GetTimestamp();
        _containerId = (await _arm.Cri.Runtime.CreateContainerAsync(request, cancellationToken: cancellationToken)).ContainerId;
        return Since(begin);
    }

    /// <summary>StartContainer; how long it took, ms.</summary>
    public async Task<double> StartAsync(CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        await _arm.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = _containerId }, cancellationToken: cancellationToken);
        return Since(begin);
    }

    /// <summary>The three calls, and the first byte of output.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="mounts">Host folders in the container.</param>
    public async Task<PodTimes> StartWholeAsync(CancellationToken cancellationToken, params Mount[] mounts)
    {
        using LogWatch watch = new(LogPath);
        long begin = Stopwatch.GetTimestamp();
        double run = await RunAsync(cancellationToken);
        double create = await CreateAsync(["sh", "-c", "echo ready; exec sleep 100000"], cancellationToken, mounts);
        double start = await StartAsync(cancellationToken);
        long first = await watch.FirstByte.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
        return new PodTimes(run, create, start, Stopwatch.GetElapsedTime(begin, first).TotalMilliseconds);
    }

    /// <summary>ExecSync; how long it took (ms) and what came back.</summary>
    /// <param name="command">The command.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<(double Elapsed, ExecSyncResponse Reply)> ExecAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        ExecSyncRequest request = new() { ContainerId = _containerId, Cmd = { command }, Timeout = 120 };
        long begin = Stopwatch.GetTimestamp();
        ExecSyncResponse reply = await _arm.Cri.Runtime.ExecSyncAsync(request, cancellationToken: cancellationToken);
        return (Since(begin), reply);
    }

    /// <summary>What our daemon tells of the start of the pod's machine; nothing for others.</summary>
    public async Task<MachineStart> ReadMachineAsync(CancellationToken cancellationToken)
    {
        Dictionary<string, double> stages = new(StringComparer.Ordinal);
        PodSandboxStatusResponse status = await _arm.Cri.Runtime.PodSandboxStatusAsync(
            new PodSandboxStatusRequest { PodSandboxId = Id, Verbose = true }, cancellationToken: cancellationToken);
        if (!_arm.IsOurs || !status.Info.TryGetValue("info", out string? text))
        {
            return new MachineStart(_arm.IsOurs, false, false, stages);
        }

        using JsonDocument info = JsonDocument.Parse(text);
        if (info.RootElement.TryGetProperty("startMilliseconds", out JsonElement times))
        {
            foreach (JsonProperty stage in times.EnumerateObject())
            {
                stages[stage.Name] = stage.Value.GetDouble();
            }
        }

        return new MachineStart(
            IsOurs: true,
            info.RootElement.TryGetProperty("template", out JsonElement template) && template.GetString() is { Length: > 0 },
            info.RootElement.TryGetProperty("pooled", out JsonElement pooled) && pooled.GetBoolean(),
            stages);
    }

    /// <summary>StopPodSandbox; how long it took, ms.</summary>
    public async Task<double> StopAsync(CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        await _arm.Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = Id }, cancellationToken: cancellationToken);
        return Since(begin);
    }

    /// <summary>RemovePodSandbox; how long it took, ms.</summary>
    public async Task<double> RemoveAsync(CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        await _arm.Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = Id }, cancellationToken: cancellationToken);
        double elapsed = Since(begin);
        Id = "";
        return elapsed;
    }

    /// <summary>Stops and removes it if it is still there.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Id.Length > 0)
        {
            await StopAsync(CancellationToken.None);
            await RemoveAsync(CancellationToken.None);
        }

        Directory.Delete(_config.LogDirectory, recursive: true);
    }

    private static double Since(long begin) => Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
}

/// <summary>How a machine came up.</summary>
/// <param name="IsOurs">There is a machine; peers have none.</param>
/// <param name="IsClone">From a template; else it booted.</param>
/// <param name="IsPooled">Before its pod came.</param>
/// <param name="Stages">How long each stage took, ms.</param>
internal sealed record MachineStart(bool IsOurs, bool IsClone, bool IsPooled, IReadOnlyDictionary<string, double> Stages)
{
    /// <summary>Whether that is what the arm stands for.</summary>
    public bool IsAsNamed(string arm) => !IsOurs || (IsClone == (arm != ArmNames.Cold) && IsPooled == (arm == ArmNames.Pool));

    /// <summary>In a few words.</summary>
    public string Words => IsPooled ? "its machine was of the pool" : IsClone ? "its machine was a clone, started for it" : "its machine booted";
}

/// <summary>How long the start of a pod took, ms.</summary>
/// <param name="Run">RunPodSandbox.</param>
/// <param name="Create">CreateContainer.</param>
/// <param name="Start">StartContainer.</param>
/// <param name="FirstByte">From before the first call until the first byte of output was in the log file.</param>
internal sealed record PodTimes(double Run, double Create, double Start, double FirstByte)
{
    /// <summary>The three calls.</summary>
    public double Sum => Run + Create + Start;
}
