using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>The methods this agent answers. Filled before <see cref="AgentChannel.RunAsync"/>, then only read.</summary>
internal sealed class MethodTable
{
    private readonly Dictionary<string, Func<AgentCall, CancellationToken, Task<byte[]>>> _methods = new(StringComparer.Ordinal);

    /// <summary>Adds a method.</summary>
    /// <param name="method">One of <see cref="GuestMethods"/>.</param>
    /// <param name="requestType">
    /// JSON of the request record; a body that does not fit is answered with InvalidRequest. Asked for at the first call: making the
    /// metadata of all records would take half of the agent's start.
    /// </param>
    /// <param name="resultType">JSON of the result record, asked for likewise.</param>
    /// <param name="handler">
    /// Does the work. The token is <see cref="AgentCall.Cancelled"/>. Throws <see cref="AgentException"/> for a fault of its own
    /// choice; anything else becomes <see cref="GuestFault.Failed"/>.
    /// </param>
    public void Register<TRequest, TResult>(
        string method,
        Func<JsonTypeInfo<TRequest>> requestType,
        Func<JsonTypeInfo<TResult>> resultType,
        Func<AgentCall, TRequest, CancellationToken, Task<TResult>> handler) =>
        _methods.Add(method, async (call, cancellationToken) =>
        {
            var request = (TRequest)Read(method, call.Body, requestType());
            TResult result = await handler(call, request, cancellationToken);
            return JsonSerializer.SerializeToUtf8Bytes(result, resultType());
        });

    /// <summary>Runs one call and gives its result as JSON.</summary>
    /// <exception cref="AgentException">UnknownMethod, InvalidRequest, or the handler's own.</exception>
    internal Task<byte[]> InvokeAsync(AgentCall call, CancellationToken cancellationToken) =>
        _methods.TryGetValue(call.Method, out var method)
            ? method(call, cancellationToken)
            : throw new AgentException(GuestFault.UnknownMethod, $"This agent has no method '{call.Method}'.");

    /// <summary>Reads a request.</summary>
    /// <exception cref="AgentException">InvalidRequest: it is not as its record says.</exception>
    internal static object Read(string method, JsonElement body, JsonTypeInfo type)
    {
        try
        {
            object request = body.Deserialize(type)
                ?? throw new AgentException(GuestFault.InvalidRequest, $"{method}: the request is null, expected {type.Type.Name}.");
            return RequestShape.Missing(request, type) is not { } missing
                ? request
                : throw new AgentException(GuestFault.InvalidRequest, $"{method}: the request's {missing} is missing or null.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new AgentException(
                GuestFault.InvalidRequest, $"{method}: the request is not a {type.Type.Name}: {exception.Message}", exception);
        }
    }
}
