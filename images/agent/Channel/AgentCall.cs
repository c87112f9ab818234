using System.IO.Pipelines;
using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>One call of the host, from Request to Response or Error. Safe to use from many threads.</summary>
internal sealed class AgentCall
{
    /// <summary>The call's number in its session.</summary>
    public uint Id => throw new NotSupportedException();

    /// <summary>One of <see cref="GuestMethods"/>.</summary>
    public string Method => throw new NotSupportedException();

    /// <summary>The request as it came; handlers get it typed.</summary>
    public JsonElement Body => throw new NotSupportedException();

    /// <summary>Fires once nobody waits for this call any more; <see cref="End"/> says why.</summary>
    public CancellationToken Cancelled => throw new NotSupportedException();

    /// <summary>Why <see cref="Cancelled"/> fired.</summary>
    public CallEnd End => throw new NotSupportedException();

    /// <summary>Bytes the host sends on Input, ended by its End. Credit goes back as they are consumed with AdvanceTo.</summary>
    public PipeReader Input => throw new NotSupportedException();

    /// <summary>
    /// Called as the host acknowledges bytes: the stream and the total so far. Set it before the first write. Runs on the
    /// channel's read loop: it must not block, wait or throw.
    /// </summary>
    public Action<GuestStream, long>? Acknowledged { get; set; }

    /// <summary>Bytes of Output or Error that the host has consumed so far.</summary>
    public long AcknowledgedBytes(GuestStream stream) => throw new NotSupportedException();

    /// <summary>Sends bytes on Output or Error, waiting for credit; completes when they are queued to the host.</summary>
    /// <param name="stream">Output or Error; one writer at a time on each.</param>
    /// <param name="bytes">Free to be reused once this completes.</param>
    /// <param name="cancellationToken">Ends the waiting; part of the bytes may have been sent.</param>
    /// <exception cref="OperationCanceledException">The token, or <see cref="Cancelled"/>.</exception>
    public ValueTask WriteAsync(GuestStream stream, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Ends Output or Error. Not needed before the handler returns: the result ends both.</summary>
    public ValueTask EndAsync(GuestStream stream) => throw new NotSupportedException();
}
