using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>One call of the host, from Request to Response or Error. Safe to use from many threads.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A token source without timer or wait handle holds nothing to release.")]
internal sealed class AgentCall
{
    private readonly AgentSession _session;
    private readonly SendWindow _output = new();
    private readonly SendWindow _error = new();
    private readonly ReceiveStream _input;
    private readonly CancellationTokenSource _cancelled = new();
    private int _end;

    internal AgentCall(AgentSession session, uint id, string method, JsonElement body)
    {
        _session = session;
        _input = new ReceiveStream(SendInputCredit);
        (Id, Method, Body) = (id, method, body);
        Cancelled = _cancelled.Token;
    }

    /// <summary>The call's number in its session.</summary>
    public uint Id { get; }

    /// <summary>One of <see cref="GuestMethods"/>.</summary>
    public string Method { get; }

    /// <summary>The request as it came; handlers get it typed.</summary>
    public JsonElement Body { get; }

    /// <summary>Fires once nobody waits for this call any more; <see cref="End"/> says why.</summary>
    public CancellationToken Cancelled { get; }

    /// <summary>Why <see cref="Cancelled"/> fired.</summary>
    public CallEnd End => (CallEnd)Volatile.Read(ref _end);

    /// <summary>Bytes the host sends on Input, ended by its End. Credit goes back as they are consumed with AdvanceTo.</summary>
    public PipeReader Input => _input.Reader;

    /// <summary>
    /// Called as the host acknowledges bytes: the stream and the total so far. Set it before the first write. Runs on the
    /// channel's read loop: it must not block, wait or throw.
    /// </summary>
    public Action<GuestStream, long>? Acknowledged { get; set; }

    /// <summary>Bytes of Output or Error that the host has consumed so far.</summary>
    public long AcknowledgedBytes(GuestStream stream) => Window(stream).AcknowledgedBytes;

    /// <summary>Sends bytes on Output or Error, waiting for credit; completes when they are queued to the host.</summary>
    /// <param name="stream">Output or Error; one writer at a time on each.</param>
    /// <param name="bytes">Free to be reused once this completes.</param>
    /// <param name="cancellationToken">Ends the waiting; part of the bytes may have been sent.</param>
    /// <exception cref="OperationCanceledException">The token, or the call has ended (<see cref="End"/>).</exception>
    public async ValueTask WriteAsync(GuestStream stream, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        SendWindow window = Window(stream);
        while (bytes.Length > 0)
        {
            int granted = await window.TakeAsync(Math.Min(bytes.Length, ProtocolLimits.MaxFramePayloadBytes), cancellationToken);
            if (granted == 0)
            {
                throw new OperationCanceledException($"{Method} (call {Id}) has ended: {End}.", Cancelled);
            }

            await _session.SendAsync(FrameKind.Data, stream, Id, bytes[..granted], cancellationToken);
            bytes = bytes[granted..];
        }
    }

    /// <summary>Ends Output or Error. Not needed before the handler returns: the result ends both.</summary>
    /// <param name="stream">Output or Error; nothing may be written to it afterwards.</param>
    public ValueTask EndAsync(GuestStream stream) => _session.SendAsync(FrameKind.End, stream, Id, default, Cancelled);

    /// <summary>Ends the call once; the first reason stays.</summary>
    internal void EndWith(CallEnd end)
    {
        if (Interlocked.CompareExchange(ref _end, (int)end, (int)CallEnd.None) != (int)CallEnd.None)
        {
            return;
        }

        _output.Close();
        _error.Close();
        _input.End(end == CallEnd.Completed ? null : new OperationCanceledException($"{Method} (call {Id}) has ended: {end}."));
        if (end != CallEnd.Completed)
        {
            // Registered callbacks run on the pool: the caller is the channel's read loop.
            _ = _cancelled.CancelAsync();
        }
    }

    /// <summary>Takes a Data frame of the host.</summary>
    internal void Receive(GuestStream stream, ReadOnlySpan<byte> bytes)
    {
        if (stream != GuestStream.Input || !_input.TryAppend(bytes))
        {
            EndWith(CallEnd.ProtocolFault);
        }
    }

    /// <summary>Takes an End frame of the host.</summary>
    internal void ReceiveEnd() => _input.End();

    /// <summary>Takes a Credit frame of the host.</summary>
    internal void ReceiveCredit(GuestStream stream, ReadOnlySpan<byte> body)
    {
        if (stream == GuestStream.Input
            || body.Length != sizeof(uint)
            || !Window(stream).TryAdd(BinaryPrimitives.ReadUInt32LittleEndian(body)))
        {
            EndWith(CallEnd.ProtocolFault);
            return;
        }

        Acknowledged?.Invoke(stream, AcknowledgedBytes(stream));
    }

    private SendWindow Window(GuestStream stream) => stream switch
    {
        GuestStream.Output => _output,
        GuestStream.Error => _error,
        _ => throw new ArgumentOutOfRangeException(nameof(stream), stream, "The agent sends on Output and Error only."),
    };

    private void SendInputCredit(int bytes)
    {
        Span<byte> body = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)bytes);
        _session.Post(FrameKind.Credit, GuestStream.Input, Id, body);
    }
}
