using Vks.Bench.Host;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;

namespace Vks.Bench.Arms;

/// <summary>One side of the comparison: a container runtime that runs, with folders, network and pods of its own.</summary>
/// <remarks>Owns the runtime: disposing removes every pod, ends it, and takes away what it left.</remarks>
internal abstract class Arm(string name, string title, string directory, CniNetwork network) : IAsyncDisposable
{
    private readonly HashSet<string> _podIds = [];
    private readonly Lock _lock = new();

    /// <summary>Name in results: <c>cold</c>, <c>clone</c>, <c>containerd</c>.</summary>
    public string Name { get; } = name;

    /// <summary>What it is, for people.</summary>
    public string Title { get; } = title;

    /// <summary>Everything of this arm lies below.</summary>
    public string Directory { get; } = directory;

    /// <summary>Its pods' network.</summary>
    public CniNetwork Network { get; } = network;

    /// <summary>Whether it is this project's.</summary>
    public abstract bool IsOurs { get; }

    /// <summary>Calls into it; set by <see cref="StartAsync"/>.</summary>
    public CriClient Cri { get; private set; } = null!;

    /// <summary>The daemon's process.</summary>
    public int DaemonPid => Service.Pid;

    /// <summary>Every pod it has had.</summary>
    public IReadOnlySet<string> PodIds
    {
        get
        {
            lock (_lock)
            {
                return _podIds.ToHashSet();
            }
        }
    }

    /// <summary>Path of the runtime's socket.</summary>
    protected abstract string SocketPath { get; }

    /// <summary>The daemon.</summary>
    protected Service Service { get; private set; } = null!;

    /// <summary>Starts it.</summary>
    /// <exception cref="BenchException">It does not come up.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        System.IO.Directory.CreateDirectory(Directory);
        Service = await LaunchAsync(cancellationToken);
        Cri = new CriClient(SocketPath);
        await Cri.Runtime.VersionAsync(new VersionRequest(), cancellationToken: cancellationToken);
    }

    /// <summary>Notes a pod, so that what it leaves can be told.</summary>
    public void Remember(string podId)
    {
        lock (_lock)
        {
            _podIds.Add(podId);
        }
    }

    /// <summary>The daemon and, where it has them, the helpers it keeps for each pod.</summary>
    public abstract IReadOnlyList<int> ManagementProcesses(ProcessTable table);

    /// <summary>What runs because pods run: machines, or helpers, pauses and containers.</summary>
    public abstract IReadOnlyList<int> PodProcesses(ProcessTable table);

    /// <summary>What the arm has on the host now.</summary>
    public abstract Footprint TakeFootprint();

    /// <summary>Removes every pod it knows.</summary>
    public async Task RemovePodsAsync(CancellationToken cancellationToken)
    {
        ListPodSandboxResponse pods = await Cri.Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), cancellationToken: cancellationToken);
        foreach (PodSandbox pod in pods.Items)
        {
            await Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
            await Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Service is null)
        {
            return;
        }

        try
        {
            if (Cri is not null)
            {
                using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(120));
                await RemovePodsAsync(deadline.Token);
            }
        }
        catch (Grpc.Core.RpcException)
        {
            // A runtime that does not answer is ended all the same, and CleanAsync takes what is left of its pods.
        }
        finally
        {
            Cri?.Dispose();
            await Service.DisposeAsync();
            await CleanAsync();
            await Network.RemoveBridgeAsync();
        }
    }

    /// <summary>Starts the daemon.</summary>
    protected abstract Task<Service> LaunchAsync(CancellationToken cancellationToken);

    /// <summary>Takes away what the ended daemon leaves.</summary>
    protected abstract Task CleanAsync();
}
