using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;

namespace Vks.Runtime.Qmp;

/// <summary>Typed commands to one QEMU. Safe to use from many threads; answers may come in any order.</summary>
/// <remarks>Every command throws <see cref="QmpException"/>. A cancelled command ends the waiting only: QEMU may still carry it out.</remarks>
internal sealed partial class QmpClient : IAsyncDisposable
{
    private readonly QmpConnection _connection;
    private readonly TimeProvider _time;

    private QmpClient(QmpConnection connection, QmpVersionNumber version, TimeProvider time)
    {
        _connection = connection;
        _time = time;
        QemuVersion = new Version(version.Major, version.Minor, version.Micro);
    }

    /// <summary>QEMU's version from its greeting.</summary>
    internal Version QemuVersion { get; }

    /// <summary>Completes when the connection has ended, for whatever reason. Never fails.</summary>
    internal Task Closed => _connection.Closed;

    /// <summary>Reads the greeting and leaves negotiation mode.</summary>
    /// <param name="transport">Owned by the client from here on, also when this fails.</param>
    /// <param name="time">Measures deadlines.</param>
    /// <param name="cancellationToken">Gives up the connection.</param>
    internal static async Task<QmpClient> ConnectAsync(QmpTransport transport, TimeProvider time, CancellationToken cancellationToken)
    {
        QmpConnection connection = new(transport);
        try
        {
            QmpGreeting greeting = await connection.Greeting.WaitAsync(cancellationToken);
            await connection.SendAsync("qmp_capabilities", new QmpNoArguments(), QmpJson.Default.QmpCommandQmpNoArguments, null, cancellationToken);
            return new QmpClient(connection, greeting.Version.Qemu, time);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Events from now on, until the connection ends. Each reader gets every event; a reader that falls 256 behind loses the oldest.</summary>
    internal IAsyncEnumerable<QmpEvent> ReadEventsAsync(CancellationToken cancellationToken)
    {
        // Subscribed here, not at the first MoveNext: what happens in between is not lost.
        return EnumerateAsync(_connection.Subscribe(), cancellationToken);
    }

    /// <summary>query-status.</summary>
    internal async Task<QmpRunState> QueryStatusAsync(CancellationToken cancellationToken)
    {
        QmpRunStateReply reply = await AskAsync("query-status", QmpJson.Default.QmpRunStateReply, cancellationToken);
        return new QmpRunState(reply.Running, reply.Status);
    }

    /// <summary>cont: lets the guest's CPUs run.</summary>
    internal Task ContinueAsync(CancellationToken cancellationToken) => TellAsync("cont", cancellationToken);

    /// <summary>stop: halts the guest's CPUs.</summary>
    internal Task StopAsync(CancellationToken cancellationToken) => TellAsync("stop", cancellationToken);

    /// <summary>quit: ends QEMU at once; the guest is not asked. Losing the connection meanwhile counts as success.</summary>
    internal async Task QuitAsync(CancellationToken cancellationToken)
    {
        try
        {
            await TellAsync("quit", cancellationToken);
        }
        catch (QmpException exception) when (exception.Fault == QmpFault.ConnectionLost)
        {
            // QEMU ends before or after it answers, as it happens.
        }
    }

    /// <summary>system_powerdown: presses the power button (needs ACPI in the guest; microvm guests are asked through their agent instead).</summary>
    internal Task PowerDownAsync(CancellationToken cancellationToken) => TellAsync("system_powerdown", cancellationToken);

    /// <summary>balloon: asks the guest to give memory back until it has this many bytes.</summary>
    internal Task SetBalloonAsync(long guestBytes, CancellationToken cancellationToken) =>
        SendAsync("balloon", new QmpBalloonArguments(guestBytes), QmpJson.Default.QmpCommandQmpBalloonArguments, cancellationToken);

    /// <summary>query-balloon: bytes of memory the guest has now.</summary>
    internal async Task<long> QueryBalloonAsync(CancellationToken cancellationToken) =>
        (await AskAsync("query-balloon", QmpJson.Default.QmpBalloonReply, cancellationToken)).Actual;

    /// <summary>Closes the connection; commands under way fail with <see cref="QmpFault.ConnectionLost"/>.</summary>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async IAsyncEnumerable<QmpEvent> EnumerateAsync(Channel<QmpEvent> events, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (QmpEvent qmpEvent in events.Reader.ReadAllAsync(cancellationToken))
            {
                yield return qmpEvent;
            }
        }
        finally
        {
            _connection.Unsubscribe(events);
        }
    }

    private Task<JsonElement> TellAsync(string command, CancellationToken cancellationToken) =>
        SendAsync(command, new QmpNoArguments(), QmpJson.Default.QmpCommandQmpNoArguments, cancellationToken);

    private async Task<TReply> AskAsync<TReply>(string command, JsonTypeInfo<TReply> replyType, CancellationToken cancellationToken) =>
        Read(command, await SendAsync(command, new QmpNoArguments(), QmpJson.Default.QmpCommandQmpNoArguments, cancellationToken), replyType);

    private Task<JsonElement> SendAsync<T>(string command, T arguments, JsonTypeInfo<QmpCommand<T>> type, CancellationToken cancellationToken) =>
        _connection.SendAsync(command, arguments, type, descriptor: null, cancellationToken);

    private static TReply Read<TReply>(string command, JsonElement reply, JsonTypeInfo<TReply> type)
    {
        try
        {
            return reply.Deserialize(type) ?? throw new JsonException("it is null");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new QmpException(QmpFault.ProtocolError, command, $"QEMU's answer to {command} is not as expected: {exception.Message}", cause: exception);
        }
    }
}

/// <summary>A disk to plug in.</summary>
/// <param name="Serial">SCSI serial, 1 to 20 characters of <c>[A-Za-z0-9_-]</c>.</param>
/// <param name="ReadOnly">The guest cannot write; the file may be shared with other guests.</param>
internal sealed record QmpDisk(string Serial, bool ReadOnly)
{
    /// <summary>The descriptor is a block device, not a regular file.</summary>
    internal bool IsBlockDevice { get; init; }
}

/// <summary>Answer to query-status.</summary>
/// <param name="Running">The guest's CPUs run.</param>
/// <param name="Status">QEMU's word: <c>running</c>, <c>paused</c>, <c>shutdown</c>, <c>guest-panicked</c>, …</param>
internal sealed record QmpRunState(bool Running, string Status);
