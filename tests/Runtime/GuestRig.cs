using System.Collections.Concurrent;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using Vks.Agent.Channel;
using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Tests.Kit;

namespace Vks.Tests.Runtime;

/// <summary>The real client and the real agent channel, joined in memory.</summary>
internal sealed class GuestRig : IChannelTransport, IAsyncDisposable
{
    private readonly Channel<Stream> _connections = Channel.CreateUnbounded<Stream>();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<GuestClient> _clients = [];
    private readonly Task _agent;

    public GuestRig(Action<MethodTable>? methods = null)
    {
        var table = new MethodTable();
        table.Register(GuestMethods.Ping, static () => GuestJson.Default.Empty, static () => GuestJson.Default.Empty, (_, request, _) => Task.FromResult(request));
        methods?.Invoke(table);
        Agent = new AgentChannel(this, table, new HelloReply("", 0, 0, 0, "0.1", "6.1", 1, 2), Log.Enqueue);
        _agent = Agent.RunAsync(_stop.Token);
    }

    public AgentChannel Agent { get; }

    public ConcurrentQueue<string> Log { get; } = new();

    public bool CarriesBytesOver => true;

    public static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(20)).Token;

    public ValueTask<Stream> AcceptAsync(CancellationToken cancellationToken) => _connections.Reader.ReadAsync(cancellationToken);

    /// <summary>A new wire to the agent; the host's end.</summary>
    public Stream Wire()
    {
        (FakeAgentWire host, FakeAgentWire guest) = FakeAgentWire.CreatePair();
        _connections.Writer.TryWrite(guest);
        return host;
    }

    public Task<GuestClient> ConnectAsync(bool usedBefore = false) => ConnectAsync(Wire(), usedBefore);

    public async Task<GuestClient> ConnectAsync(Stream wire, bool usedBefore)
    {
        GuestClient client = await GuestClient.ConnectAsync(_ => ValueTask.FromResult(wire), usedBefore, forTemplate: false, NullLogger.Instance, Deadline);
        _clients.Add(client);
        return client;
    }

    public static Task PingAsync(GuestClient client) => CallAsync(client, GuestMethods.Ping, new Empty(), GuestJson.Default.Empty);

    public static Task<Empty> CallAsync<T>(GuestClient client, string method, T request, JsonTypeInfo<T> type, CancellationToken? token = null) =>
        client.CallAsync(method, request, type, GuestJson.Default.Empty, token ?? Deadline);

    public static Task<GuestCall<Empty>> OpenAsync(GuestClient client, string method, CancellationToken? token = null) =>
        client.OpenAsync(method, new Empty(), GuestJson.Default.Empty, GuestJson.Default.Empty, token ?? Deadline);

    /// <summary>Registers a method that takes and gives Empty.</summary>
    public static void Add(MethodTable table, string method, Func<AgentCall, CancellationToken, Task> handler) =>
        table.Register(method, static () => GuestJson.Default.Empty, static () => GuestJson.Default.Empty, async (call, request, cancellationToken) =>
        {
            await handler(call, cancellationToken);
            return request;
        });

    public async ValueTask DisposeAsync()
    {
        foreach (GuestClient client in _clients)
        {
            await client.DisposeAsync();
        }

        await _stop.CancelAsync();
        await _agent.WaitAsync(TimeSpan.FromSeconds(10));
        _stop.Dispose();
    }
}
