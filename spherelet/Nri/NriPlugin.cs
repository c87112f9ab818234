using System.Collections.Concurrent;
using Google.Protobuf;
using Vks.Spherelet.Nri.Wire;

namespace Vks.Spherelet.Nri;

/// <summary>One connected plugin: from its registration until its connection ends.</summary>
internal sealed partial class NriPlugin : IAsyncDisposable
{
    /// <summary>The version of NRI that is spoken; plugins look at it for what they may ask.</summary>
    internal const string NriVersion = "v0.12.0";

    /// <summary>What a message of Synchronize may have, so that no single pod takes it over the wire's limit.</summary>
    private const int SynchronizeBytes = TtrpcHeader.MostBytes / 2;

    private readonly NriTrunk _trunk;
    private readonly TtrpcClient _client;
    private readonly TtrpcServer _server;
    private readonly NriOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<Event, bool> _former = new();
    private Task _running = Task.CompletedTask;
    private int _events;

    /// <summary>Takes a connection; nothing is read before <see cref="StartAsync"/>.</summary>
    /// <param name="connection">The connection, disposed with this.</param>
    /// <param name="name">Its name when it is known before it registers, as that of one that was started by us.</param>
    /// <param name="update">Carries out changes that it asks for by itself; gives those that failed.</param>
    /// <param name="options">Its limits.</param>
    /// <param name="time">The clock of the limits.</param>
    /// <param name="logger">For what happens with it.</param>
    public NriPlugin(
        Stream connection,
        PluginName? name,
        Func<NriPlugin, UpdateContainersRequest, CancellationToken, Task<UpdateContainersResponse>> update,
        NriOptions options,
        TimeProvider time,
        ILogger logger)
    {
        (_options, _time, _logger) = (options, time, logger);
        Name = name;
        _trunk = new NriTrunk(connection, NriTrunk.PluginService, NriTrunk.RuntimeService);
        _client = new TtrpcClient(new TtrpcWire(_trunk, NriTrunk.PluginService));
        _server = new TtrpcServer(new TtrpcWire(_trunk, NriTrunk.RuntimeService));
        bool launched = name is not null;
        _server.Register(NriMethods.RuntimeService, "RegisterPlugin", RegisterPluginRequest.Parser, (request, _) =>
        {
            // One that was started by us has its name by its file.
            Name = launched ? Name : PluginName.Check(request.PluginIdx, request.PluginName);
            PluginRegistered(Name!, request.NRIVersion);
            _registered.TrySetResult();
            return Task.FromResult<IMessage>(new Empty());
        });
        _server.Register(NriMethods.RuntimeService, "UpdateContainers", UpdateContainersRequest.Parser, async (request, token) =>
            IsReady ? await update(this, request, token) : throw new TtrpcException(TtrpcCode.FailedPrecondition, "the plugin is not synchronized yet", isFatal: false));
    }

    /// <summary>Its name, once it has registered.</summary>
    public PluginName? Name { get; private set; }

    /// <summary>It has taken in all pods and containers, and is told what happens.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Completes when its connection has ended.</summary>
    public Task Ended => _running;

    /// <summary>Its connection has ended.</summary>
    public bool IsClosed => _ending.IsCancellationRequested || _running.IsCompleted;

    /// <summary>Waits for it to register, gives it its settings and learns what it wants to be told.</summary>
    /// <param name="config">Its settings, or empty.</param>
    /// <param name="runtimeVersion">The version of this program.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TtrpcException">It did not register in time, hung up, or refused its settings.</exception>
    public async Task StartAsync(string config, string runtimeVersion, CancellationToken cancellationToken)
    {
        _trunk.Start();
        _running = Task.WhenAll(_client.RunAsync(_ending.Token), _server.RunAsync(_ending.Token), _trunk.Ended);
        Task first = await Task.WhenAny(_registered.Task, _running, Task.Delay(_options.RegistrationTimeout, _time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        if (!_registered.Task.IsCompleted)
        {
            throw first == _running
                ? new TtrpcException(TtrpcCode.Unavailable, "it hung up before it registered", isFatal: true)
                : new TtrpcException(TtrpcCode.DeadlineExceeded, $"it did not register within {_options.RegistrationTimeout.TotalSeconds:0.###} s", isFatal: true);
        }

        ConfigureResponse configured = await CallAsync(
            "Configure",
            new ConfigureRequest
            {
                Config = config,
                RuntimeName = "vks",
                RuntimeVersion = runtimeVersion,
                RegistrationTimeout = (long)_options.RegistrationTimeout.TotalMilliseconds,
                RequestTimeout = (long)_options.RequestTimeout.TotalMilliseconds,
                NRIVersion = NriVersion,
            },
            ConfigureResponse.Parser,
            _options.RequestTimeout,
            cancellationToken);
        _events = configured.Events == 0 ? AllEvents
            : (configured.Events & ~AllEvents) == 0 ? configured.Events
            : throw new TtrpcException(TtrpcCode.InvalidArgument, $"it subscribes to unknown events (0x{configured.Events & ~AllEvents:x})", isFatal: true);
    }

    /// <summary>Tells it all pods and containers there are.</summary>
    /// <returns>Changes of containers that it asks for.</returns>
    /// <exception cref="TtrpcException">It failed, or did not answer in time.</exception>
    public async Task<IReadOnlyList<ContainerUpdate>> SynchronizeAsync(
        IReadOnlyList<PodSandbox> pods, IReadOnlyList<Container> containers, CancellationToken cancellationToken)
    {
        IReadOnlyList<SynchronizeRequest> pieces = Pieces(pods, containers, SynchronizeBytes);
        SynchronizeResponse answer = new();
        foreach (SynchronizeRequest piece in pieces)
        {
            answer = await CallAsync("Synchronize", piece, SynchronizeResponse.Parser, _options.RegistrationTimeout, cancellationToken);
            if (piece.More && !answer.More)
            {
                throw new TtrpcException(
                    TtrpcCode.FailedPrecondition, $"it cannot take pods and containers in {pieces.Count} pieces, and there are too many for one", isFatal: true);
            }
        }

        IsReady = true;
        return answer.Update;
    }

    /// <summary>Whether it wants to be told.</summary>
    public bool Wants(Event happened) => !IsClosed && (_events & (1 << ((int)happened - 1))) != 0;

    /// <summary>Tells it what happens.</summary>
    /// <exception cref="TtrpcException">It refused, did not answer in time, or is gone.</exception>
    public async Task<T> TellAsync<T>(Event happened, IMessage request, MessageParser<T> answer, CancellationToken cancellationToken)
        where T : IMessage<T>, new()
    {
        if (!_former.ContainsKey(happened))
        {
            try
            {
                return await CallAsync(NriMethods.Of(happened), request, answer, _options.RequestTimeout, cancellationToken);
            }
            catch (TtrpcException cause) when (cause.Code == TtrpcCode.Unimplemented)
            {
                // A plugin made before there was such a method.
                _former[happened] = true;
            }
        }

        if (NriMethods.WasStateChange(happened))
        {
            StateChangeEvent change = request switch
            {
                PodRequest pod => new StateChangeEvent { Event = happened, Pod = pod.Pod },
                ContainerRequest container => new StateChangeEvent { Event = happened, Pod = container.Pod, Container = container.Container },
                _ => throw new ArgumentException($"{request.Descriptor.Name} never was a state change", nameof(request)),
            };
            await CallAsync("StateChange", change, Empty.Parser, _options.RequestTimeout, cancellationToken);
        }

        return new T();
    }

    /// <summary>Tells it that the daemon ends, and hangs up.</summary>
    public async Task ShutDownAsync()
    {
        try
        {
            if (IsReady && !IsClosed)
            {
                await CallAsync("Shutdown", new Empty(), Empty.Parser, _options.RequestTimeout, CancellationToken.None);
            }
        }
        catch (TtrpcException)
        {
            // It ends all the same.
        }

        await DisposeAsync();
    }

    /// <summary>Hangs up. Safe to call twice.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _trunk.DisposeAsync();
        await _running;
    }

    /// <summary>Cuts what a plugin is told at the beginning into messages of a bounded size, pods first.</summary>
    /// <param name="pods">All pods.</param>
    /// <param name="containers">All containers.</param>
    /// <param name="mostBytes">Size of a message; one that is larger by itself makes a message of its own.</param>
    internal static IReadOnlyList<SynchronizeRequest> Pieces(IReadOnlyList<PodSandbox> pods, IReadOnlyList<Container> containers, int mostBytes)
    {
        List<SynchronizeRequest> pieces = [new()];
        var bytes = 0;
        foreach (IMessage item in pods.Concat<IMessage>(containers))
        {
            int size = item.CalculateSize();
            if (bytes > 0 && bytes + size > mostBytes)
            {
                pieces[^1].More = true;
                pieces.Add(new SynchronizeRequest());
                bytes = 0;
            }

            bytes += size;
            if (item is PodSandbox pod)
            {
                pieces[^1].Pods.Add(pod);
            }
            else
            {
                pieces[^1].Containers.Add((Container)item);
            }
        }

        return pieces;
    }

    private static int AllEvents { get; } = Enum.GetValues<Event>().Where(static one => one != Event.Unknown).Sum(static one => 1 << ((int)one - 1));

    private Task<T> CallAsync<T>(string method, IMessage request, MessageParser<T> answer, TimeSpan limit, CancellationToken cancellationToken)
        where T : IMessage<T> =>
        _client.CallAsync(NriMethods.PluginService, method, request, answer, limit, _time, cancellationToken);

    [LoggerMessage(3700, LogLevel.Information, "NRI plugin {Name} has registered; it was made for NRI {Version}")]
    private partial void PluginRegistered(PluginName name, string version);
}
