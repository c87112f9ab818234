using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>A call with streams. Disposing it before it is complete cancels it in the guest.</summary>
/// <typeparam name="TResult">The method's result record.</typeparam>
public sealed class GuestCall<TResult> : IAsyncDisposable
{
    private readonly GuestConnection _connection;
    private readonly OpenCall _call;
    private readonly CancellationTokenRegistration _cancellation;
    private int _abandoned;

    internal GuestCall(GuestConnection connection, OpenCall call, JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken)
    {
        (_connection, _call) = (connection, call);
        Completion = ReadResultAsync(resultType, cancellationToken);
        _ = Completion.ContinueWith(
            static failed => failed.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        _cancellation = cancellationToken.UnsafeRegister(static state => ((GuestCall<TResult>)state!).Abandon("was cancelled"), this);
    }

    /// <summary>
    /// The result, or the guest's fault, or <see cref="OperationCanceledException"/> when the opening's token fired. Every byte of
    /// Output and Error can be read by then; what nobody reads of them holds the guest up, so read or complete both.
    /// </summary>
    public Task<TResult> Completion { get; }

    /// <summary>Bytes the guest sends on Output. Credit goes back as bytes are consumed with AdvanceTo.</summary>
    public PipeReader Output => _call.Output.Reader;

    /// <summary>Bytes the guest sends on Error.</summary>
    public PipeReader Error => _call.Error.Reader;

    /// <summary>Sends bytes on Input, waiting for credit. One writer at a time.</summary>
    /// <param name="bytes">Free to be reused once this completes.</param>
    /// <param name="cancellationToken">Ends the waiting, not the call; part of the bytes may have been sent.</param>
    /// <exception cref="GuestException"><see cref="GuestFault.WrongState"/>: the call has ended. ConnectionLost.</exception>
    public async ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            int granted = await _call.Input.TakeAsync(Math.Min(bytes.Length, ProtocolLimits.MaxFramePayloadBytes), cancellationToken);
            if (granted == 0)
            {
                throw new GuestException(
                    GuestFault.WrongState,
                    $"{_call.Method}: the call has ended, {bytes.Length} bytes of input were not sent.",
                    _connection.Closed.IsCompleted);
            }

            await _connection.SendAsync(FrameKind.Data, GuestStream.Input, _call.Id, bytes[..granted], cancellationToken);
            bytes = bytes[granted..];
        }
    }

    /// <summary>Ends Input. No error when the call has ended.</summary>
    public async ValueTask EndInputAsync(CancellationToken cancellationToken)
    {
        if (!_call.Completion.IsCompleted)
        {
            await _connection.SendAsync(FrameKind.End, GuestStream.Input, _call.Id, default, cancellationToken);
        }
    }

    /// <summary>Cancels the call if it is open; does not wait for the guest.</summary>
    public async ValueTask DisposeAsync()
    {
        Abandon("was disposed");
        await _cancellation.DisposeAsync();
    }

    private void Abandon(string why)
    {
        if (Interlocked.Exchange(ref _abandoned, 1) == 0 && !_call.Completion.IsCompleted)
        {
            _connection.Cancel(_call.Id);
            _connection.Forget(_call);
            _call.Fail(new GuestException(GuestFault.Cancelled, $"{_call.Method}: the call {why} by its caller."));
        }
    }

    private async Task<TResult> ReadResultAsync(JsonTypeInfo<TResult> resultType, CancellationToken cancellationToken)
    {
        try
        {
            byte[] body = await _call.Completion;
            return JsonSerializer.Deserialize(body, resultType) ?? throw new JsonException("it is null");
        }
        catch (GuestException exception) when (exception.Fault == GuestFault.Cancelled && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(exception.Message, exception, cancellationToken);
        }
        catch (JsonException exception)
        {
            throw new GuestException(
                GuestFault.Failed, $"{_call.Method}: the guest's answer is not a {typeof(TResult).Name}: {exception.Message}", cause: exception);
        }
    }
}
