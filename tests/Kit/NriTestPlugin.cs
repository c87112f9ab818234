using System.Collections.Concurrent;
using System.Net.Sockets;
using Google.Protobuf;
using Vks.Spherelet.Nri;
using Vks.Spherelet.Nri.Wire;

namespace Vks.Tests.Kit;

/// <summary>An NRI plugin of a test: connects to the daemon, notes what it is told, and answers as the test wants.</summary>
internal sealed class NriTestPlugin : IAsyncDisposable
{
    private readonly NriTrunk _trunk;
    private readonly TtrpcClient _client;
    private readonly TtrpcServer _server;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource<SynchronizeRequest> _synchronized = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;

    private NriTestPlugin(Stream connection)
    {
        _trunk = new NriTrunk(connection, NriTrunk.PluginService, NriTrunk.RuntimeService);
        _client = new TtrpcClient(new TtrpcWire(_trunk, NriTrunk.RuntimeService));
        _server = new TtrpcServer(new TtrpcWire(_trunk, NriTrunk.PluginService));
        On("Configure", ConfigureRequest.Parser, request =>
        {
            Configured = request;
            return new ConfigureResponse { Events = Events };
        });
        On("Synchronize", SynchronizeRequest.Parser, request =>
        {
            _synchronized.TrySetResult(request);
            return new SynchronizeResponse();
        });
        On("Shutdown", Empty.Parser, _ => new Empty());
        foreach (Event happened in Enum.GetValues<Event>().Where(one => one.ToString().EndsWith("PodSandbox", StringComparison.Ordinal) && one != Event.UpdatePodSandbox))
        {
            On(happened.ToString(), PodRequest.Parser, request => Pod(happened, request));
        }

        foreach (Event happened in new[] { Event.PostCreateContainer, Event.StartContainer, Event.PostStartContainer, Event.PostUpdateContainer, Event.RemoveContainer })
        {
            On(happened.ToString(), ContainerRequest.Parser, request => Container(happened, request, () => new Empty()));
        }

        On("UpdatePodSandbox", UpdatePodSandboxRequest.Parser, request => Pod(Event.UpdatePodSandbox, new PodRequest { Pod = request.Pod }));
        On("CreateContainer", ContainerRequest.Parser, request => Container(Event.CreateContainer, request, () => OnCreate(request)));
        On("StopContainer", ContainerRequest.Parser, request => Container(Event.StopContainer, request, () => new StopContainerResponse()));
        On("UpdateContainer", UpdateContainerRequest.Parser, request =>
            Container(Event.UpdateContainer, new ContainerRequest { Pod = request.Pod, Container = request.Container }, () => OnUpdate(request)));
        On("ValidateContainerAdjustment", ValidateContainerAdjustmentRequest.Parser, request => OnValidate(request));
    }

    /// <summary>Bits of the events it wants; 0 for all.</summary>
    public int Events { get; set; }

    /// <summary>What it was configured with.</summary>
    public ConfigureRequest Configured { get; private set; } = new();

    /// <summary>What it was told, in order: the event and the container, or else the pod.</summary>
    public ConcurrentQueue<(Event Happened, string Id, string Name)> Told { get; } = new();

    /// <summary>Runs before each answer; what it throws is the answer.</summary>
    public Func<Event, Task> Before { get; set; } = _ => Task.CompletedTask;

    public Func<ContainerRequest, CreateContainerResponse> OnCreate { get; set; } = _ => new CreateContainerResponse();

    public Func<UpdateContainerRequest, UpdateContainerResponse> OnUpdate { get; set; } = _ => new UpdateContainerResponse();

    public Func<ValidateContainerAdjustmentRequest, ValidateContainerAdjustmentResponse> OnValidate { get; set; } = _ => new ValidateContainerAdjustmentResponse();

    /// <summary>Completes when the daemon has hung up.</summary>
    public Task Ended => _running;

    /// <summary>Connects, registers, and waits until all pods were told.</summary>
    public static async Task<(NriTestPlugin Plugin, SynchronizeRequest Found)> JoinAsync(
        string socketPath, string index, string name, CancellationToken cancellationToken, Action<NriTestPlugin>? setUp = null)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
        var plugin = new NriTestPlugin(new NetworkStream(socket, ownsSocket: true));
        setUp?.Invoke(plugin);
        plugin._trunk.Start();
        plugin._running = Task.WhenAll(plugin._client.RunAsync(plugin._ending.Token), plugin._server.RunAsync(plugin._ending.Token), plugin._trunk.Ended);
        await plugin.CallAsync("RegisterPlugin", new RegisterPluginRequest { PluginIdx = index, PluginName = name, NRIVersion = "test" }, Empty.Parser, cancellationToken);
        SynchronizeRequest found = await plugin._synchronized.Task.WaitAsync(TimeSpan.FromSeconds(20), cancellationToken);
        return (plugin, found);
    }

    /// <summary>Calls the runtime.</summary>
    public Task<T> CallAsync<T>(string method, IMessage request, MessageParser<T> answer, CancellationToken cancellationToken)
        where T : IMessage<T> =>
        _client.CallAsync(NriMethods.RuntimeService, method, request, answer, TimeSpan.FromSeconds(20), TimeProvider.System, cancellationToken);

    /// <summary>Events of one pod or container, in order.</summary>
    public IReadOnlyList<Event> EventsOf(string id) => [.. Told.Where(one => one.Id == id).Select(one => one.Happened)];

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _trunk.DisposeAsync();
        await _running;
    }

    private void On<T>(string method, MessageParser<T> parser, Func<T, IMessage> answer)
        where T : IMessage<T> =>
        _server.Register(NriMethods.PluginService, method, parser, async (request, _) =>
        {
            if (Enum.TryParse(method, out Event happened))
            {
                await Before(happened);
            }

            return answer(request);
        });

    private Empty Pod(Event happened, PodRequest request)
    {
        Told.Enqueue((happened, request.Pod.Id, request.Pod.Name));
        return new Empty();
    }

    private IMessage Container(Event happened, ContainerRequest request, Func<IMessage> answer)
    {
        Told.Enqueue((happened, request.Container.Id, request.Container.Name));
        return answer();
    }
}
