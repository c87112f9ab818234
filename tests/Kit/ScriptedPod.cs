using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Vks.Runtime.Guest;
using Vks.Runtime.Machines;
using Vks.Spherelet.Images;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Kit;

/// <summary>A pod whose machine is a script and whose agent is played, with one container that runs; time is the test's.</summary>
internal sealed class ScriptedPod : IPodNetwork, IImageSource, IAsyncDisposable
{
    private readonly string _directory = System.IO.Directory.CreateTempSubdirectory("vks-pod-").FullName;
    private readonly PodStore _store;
    private readonly PodTable _table;
    private readonly CrxEngine _engine;
    private Machine _machine = null!;

    private ScriptedPod()
    {
        PodOptions options = new() { RootDirectory = _directory };
        _table = new PodTable(Time);
        _store = new PodStore(options, NullLogger<PodStore>.Instance);
        var share = new PodShare(_store, NullLogger<PodShare>.Instance);
        _engine = new CrxEngine(new CrxEngineOptions { RootDirectory = _directory, RuntimeDirectory = _directory }, Time, NullLoggerFactory.Instance);
        Follower = new ContainerFollower(Time, NullLogger<ContainerFollower>.Instance);
        Containers = new ContainerService(_table, _store, share, new EmptyDirs(), this, Follower, new NoPodHooks(), options, Time, NullLogger<ContainerService>.Instance);
        PoolOptions poolOptions = new();
        MachinePool pool = new(
            _engine, this, share, _store, new Rehearsal(share, poolOptions, Time, NullLogger<Rehearsal>.Instance), options, poolOptions, Time, NullLogger<MachinePool>.Instance);
        Pods = new PodService(_table, _store, share, _engine, this, Containers, pool, new NoPodHooks(), options, Time, NullLogger<PodService>.Instance);
    }

    public FakeTimeProvider Time { get; } = new();

    public ScriptedRun Run { get; } = new() { EndsOn = "kill" };

    public ContainerFollower Follower { get; }

    public ContainerService Containers { get; }

    public PodService Pods { get; }

    public PodSandbox Sandbox { get; private set; } = null!;

    public Container Container { get; private set; } = null!;

    /// <summary>Where the container's output goes.</summary>
    public string LogFile => Path.Combine(_directory, "0.log");

    /// <summary>Makes the pod; its container counts as started and is not followed yet.</summary>
    public static async Task<ScriptedPod> CreateAsync(GuestClient agent, CancellationToken cancellationToken)
    {
        ScriptedPod pod = new();
        pod.Run.Agent = agent;
        string id = PodId.New();
        pod._machine = new Machine(
            new MachineSpec { Id = MachineId.Parse(id) }, new ScriptedBackend((_, _) => Task.FromResult<IMachineRun>(pod.Run)), new ConsoleLog(), pod.Time, NullLogger.Instance);
        await pod._machine.StartAsync(cancellationToken);
        PodConfig config = new() { Name = new PodName("pod", "test", "uid", 0), Hostname = "pod" };
        pod.Sandbox = new PodSandbox(new PodRecord { Id = id, Config = config, CreatedUnixNanoseconds = 1, Made = true }, pod._machine, pod._store);
        pod._store.Save(pod.Sandbox.Record);
        pod._table.Pods[id] = pod.Sandbox;
        ContainerRecord record = new()
        {
            Id = PodId.New(),
            PodId = id,
            Config = new ContainerConfig { Name = "c", Image = "image" },
            ImageId = "image",
            ImageRef = "image",
            Disks = [],
            StopSignal = Signals.Terminate,
            LogPath = pod.LogFile,
            CreatedUnixNanoseconds = 1,
            StartedUnixNanoseconds = 2,
            Made = true,
        };
        pod.Container = new Container(record, pod.Sandbox, pod._store, pod._table.Events, new NoPodHooks());
        pod._table.Containers[record.Id] = pod.Container;
        return pod;
    }

    /// <summary>Follows the container into <see cref="LogFile"/>.</summary>
    public void Follow(ContainerLog log) => Container.Follow(log, token => Follower.FollowAsync(Container, token));

    public ContainerLog OpenLog() => ContainerLog.OpenAt(
        LogFile, null, position => _store.Save(Sandbox.Id, Container.Id, position), Time, NullLogger.Instance);

    /// <summary>Lets time pass until the task is done.</summary>
    public async Task AdvanceUntilAsync(Task task)
    {
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(20));
        while (!task.IsCompleted)
        {
            deadline.Token.ThrowIfCancellationRequested();
            Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(1), CancellationToken.None);
        }

        await task;
    }

    public async ValueTask DisposeAsync()
    {
        await Container.DisposeAsync();
        await AdvanceUntilAsync(_machine.RemoveAsync(CancellationToken.None));
        await _machine.LetGoAsync();
        Sandbox.Dispose();
        await _engine.DisposeAsync();
        System.IO.Directory.Delete(_directory, recursive: true);
    }

    Task<NetworkAttachment> IPodNetwork.PrepareAsync(string podId, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<PodNetwork> IPodNetwork.SetUpAsync(PodNetworkRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

    Task IPodNetwork.TearDownAsync(PodNetworkRequest request, CancellationToken cancellationToken) => Task.CompletedTask;

    Task IPodNetwork.TearDownAsync(string podId, CancellationToken cancellationToken) => Task.CompletedTask;

    IReadOnlyList<string> IPodNetwork.List() => [];

    Task IPodNetwork.CheckAsync(string podId, CancellationToken cancellationToken) => Task.CompletedTask;

    Task IPodNetwork.CollectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task<NetworkCondition> IPodNetwork.GetConditionAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    Task<ContainerImage> IImageSource.ResolveAsync(string reference, CancellationToken cancellationToken) => throw new NotSupportedException();
}
