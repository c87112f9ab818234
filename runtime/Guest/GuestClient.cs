using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>Typed calls to the agent of one guest over one connection. Safe to use from many threads.</summary>
/// <remarks>
/// Every call throws <see cref="GuestException"/>; the token sends Cancel to the guest and then ends the waiting with
/// <see cref="OperationCanceledException"/>. A client whose connection is lost stays lost: connect a new one.
/// </remarks>
public sealed class GuestClient : IAsyncDisposable
{
    /// <summary>The name of the spans' source: one span a call without streams, if it is part of a trace.</summary>
    public const string SourceName = "Vks.Runtime.Guest";

    private static readonly ActivitySource s_traces = new(SourceName);

    private readonly GuestConnection _connection;

    private GuestClient(GuestConnection connection) => _connection = connection;

    /// <summary>What the agent said of itself when the session was opened.</summary>
    public HelloReply Session => _connection.Session;

    /// <summary>Completes with the reason once the connection is lost or disposed; never fails.</summary>
    public Task<GuestException> Closed => _connection.Closed;

    /// <summary>
    /// Raised for every event of the guest, in order, on a task of the connection; handlers must not block. Subscribe, then list the
    /// containers: an event before the subscription is not repeated.
    /// </summary>
    public event Action<GuestEvent>? EventReceived
    {
        add => _connection.EventReceived += value;
        remove => _connection.EventReceived -= value;
    }

    /// <summary>Connects and shakes hands.</summary>
    /// <param name="connect">Gives a duplex stream to the guest, e.g. a <c>NetworkStream</c> that owns its socket; owned by the client from then on.</param>
    /// <param name="usedBefore">
    /// Somebody may have spoken on this channel before (an adopted machine): a half frame may be in the guest's reader and is padded out, at
    /// the cost of 64 KiB of zeros. False for a guest that was just started, booted or from a template: that was left at the end of a frame.
    /// </param>
    /// <param name="forTemplate">The guest is about to be saved (<see cref="Hello.ForTemplate"/>).</param>
    /// <param name="logger">Events 2300 to 2399.</param>
    /// <param name="cancellationToken">The only deadline: a guest that boots answers when it is up, one that hangs never does.</param>
    /// <exception cref="GuestException">
    /// <see cref="GuestException.ConnectionLost"/>: the guest's end closed; <see cref="GuestFault.WrongState"/>: no common version.
    /// </exception>
    public static async Task<GuestClient> ConnectAsync(
        Func<CancellationToken, ValueTask<Stream>> connect, bool usedBefore, bool forTemplate, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connect);
        Stream stream = await connect(cancellationToken);
        return new GuestClient(await GuestConnection.OpenAsync(stream, usedBefore, forTemplate, logger, cancellationToken));
    }

    /// <summary>Calls a method without streams, e.g. <c>CallAsync(GuestMethods.Stats, new Empty(), GuestJson.Default.Empty, GuestJson.Default.GuestStats, ct)</c>.</summary>
    public async Task<TResult> CallAsync<TRequest, TResult>(
        string method,
        TRequest request,
        JsonTypeInfo<TRequest> requestType,
        JsonTypeInfo<TResult> resultType,
        CancellationToken cancellationToken)
    {
        using Activity? span = Activity.Current is null ? null : s_traces.StartActivity("agent", ActivityKind.Client);
        span?.DisplayName = "agent " + method;
        try
        {
            await using GuestCall<TResult> call = await OpenAsync(method, request, requestType, resultType, cancellationToken);
            return await call.Completion;
        }
        catch (Exception exception)
        {
            span?.SetStatus(ActivityStatusCode.Error, exception.Message);
            throw;
        }
    }

    /// <summary>Opens a call with streams (exec, output, input, dial).</summary>
    /// <param name="method">One of <see cref="GuestMethods"/>.</param>
    /// <param name="request">The method's request record.</param>
    /// <param name="requestType">Its JSON.</param>
    /// <param name="resultType">JSON of the method's result record.</param>
    /// <param name="cancellationToken">Cancels the call as long as it is open, not only its opening.</param>
    public async Task<GuestCall<TResult>> OpenAsync<TRequest, TResult>(
        string method,
        TRequest request,
        JsonTypeInfo<TRequest> requestType,
        JsonTypeInfo<TResult> resultType,
        CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToElement(request, requestType);
        byte[] message = JsonSerializer.SerializeToUtf8Bytes(new GuestRequest(method, body), GuestJson.Default.GuestRequest);
        OpenCall call = await _connection.StartAsync(method, message, cancellationToken);
        return new GuestCall<TResult>(_connection, call, resultType, cancellationToken);
    }

    /// <summary>Closes the connection; open calls fail with <see cref="GuestException.ConnectionLost"/>. Containers go on.</summary>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
