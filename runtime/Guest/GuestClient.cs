using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>Typed calls to the agent of one guest. Safe to use from many threads.</summary>
/// <remarks>Every call throws <see cref="GuestException"/>; the token sends Cancel to the guest and then ends the waiting.</remarks>
public sealed class GuestClient
{
    /// <summary>What the agent said of itself when the session was opened.</summary>
    public HelloReply Session => throw new NotSupportedException();

    /// <summary>Raised for every event of the guest, in order, on a task of the connection; handlers must not block.</summary>
    public event Action<GuestEvent>? EventReceived { add => throw new NotSupportedException(); remove => throw new NotSupportedException(); }

    /// <summary>Calls a method without streams, e.g. <c>CallAsync(GuestMethods.Stats, new Empty(), GuestJson.Default.Empty, GuestJson.Default.GuestStats, ct)</c>.</summary>
    public Task<TResult> CallAsync<TRequest, TResult>(
        string method,
        TRequest request,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<TRequest> requestType,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<TResult> resultType,
        CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Opens a call with streams (exec, output, input, dial).</summary>
    public Task<GuestCall<TResult>> OpenAsync<TRequest, TResult>(
        string method,
        TRequest request,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<TRequest> requestType,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<TResult> resultType,
        CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>A call with streams. Disposing it before it is complete cancels it in the guest.</summary>
public sealed class GuestCall<TResult> : IAsyncDisposable
{
    /// <summary>The result, or the guest's fault; completes after the last byte of Output and Error could be read.</summary>
    public Task<TResult> Completion => throw new NotSupportedException();

    /// <summary>Bytes the guest sends on Output. Credit goes back as bytes are consumed with AdvanceTo.</summary>
    public System.IO.Pipelines.PipeReader Output => throw new NotSupportedException();

    /// <summary>Bytes the guest sends on Error.</summary>
    public System.IO.Pipelines.PipeReader Error => throw new NotSupportedException();

    /// <summary>Sends bytes on Input, waiting for credit.</summary>
    public ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Ends Input.</summary>
    public ValueTask EndInputAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}
