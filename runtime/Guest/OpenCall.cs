using System.Buffers.Binary;
using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>One call under way, as the connection sees it: bytes in, bytes out, one end.</summary>
internal sealed class OpenCall
{
    private readonly GuestConnection _connection;
    private readonly TaskCompletionSource<byte[]> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal OpenCall(GuestConnection connection, uint id, string method)
    {
        (_connection, Id, Method) = (connection, id, method);
        Output = new ReceiveStream(bytes => SendCredit(GuestStream.Output, bytes));
        Error = new ReceiveStream(bytes => SendCredit(GuestStream.Error, bytes));
    }

    internal uint Id { get; }

    internal string Method { get; }

    internal ReceiveStream Output { get; }

    internal ReceiveStream Error { get; }

    internal SendWindow Input { get; } = new();

    /// <summary>The Response's body, or a <see cref="GuestException"/>.</summary>
    internal Task<byte[]> Completion => _completion.Task;

    /// <summary>Takes one message of the guest for this call.</summary>
    /// <returns>True: the call has ended and is to be forgotten.</returns>
    internal bool Receive(FrameHeader header, ReadOnlySpan<byte> body, bool oversized)
    {
        switch (header.Kind)
        {
            case FrameKind.Data when header.Stream != GuestStream.Input:
                return !Stream(header.Stream).TryAppend(body) && Break("sent more than it had credit for");
            case FrameKind.End when header.Stream != GuestStream.Input:
                Stream(header.Stream).End();
                return false;
            case FrameKind.Credit when header.Stream == GuestStream.Input && body.Length == sizeof(uint):
                return !Input.TryAdd(BinaryPrimitives.ReadUInt32LittleEndian(body)) && Break("acknowledged bytes that were never sent");
            case FrameKind.Response when !oversized:
                Complete(body.ToArray());
                return true;
            case FrameKind.Error when !oversized:
                // A fault the guest reports comes after its last byte: the streams are whole.
                Fail(Read(body), cut: null);
                return true;
            default:
                return Break(oversized
                    ? $"answered with more than {ProtocolLimits.MaxMessageBytes} bytes"
                    : $"sent a {header.Kind} frame on {header.Stream} that has no meaning there");
        }
    }

    /// <summary>Ends the call with a fault, once; readers of its streams get the fault too, after the bytes that did arrive.</summary>
    internal void Fail(GuestException fault) => Fail(fault, fault);

    private void Fail(GuestException fault, GuestException? cut)
    {
        if (_completion.TrySetException(fault))
        {
            // Whoever disposes a call without looking at its completion has decided not to know.
            _ = _completion.Task.Exception;
            Close(cut);
        }
    }

    private void Complete(byte[] body)
    {
        if (_completion.TrySetResult(body))
        {
            Close(null);
        }
    }

    private void Close(GuestException? cut)
    {
        Output.End(cut);
        Error.End(cut);
        Input.Close();
    }

    private bool Break(string what)
    {
        _connection.Cancel(Id);
        Fail(new GuestException(
            GuestFault.Failed, $"{Method} (call {Id}): the guest broke the channel's rules, it {what}. The call was given up."));
        return true;
    }

    private GuestException Read(ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, GuestJson.Default.GuestError) is { } error && Enum.IsDefined(error.Fault))
            {
                return new GuestException(error.Fault, $"{Method}: {error.Message}");
            }
        }
        catch (JsonException)
        {
            // Said below, with the call's name.
        }

        return new GuestException(GuestFault.Failed, $"{Method}: the guest reported a fault in words that are not the protocol's.");
    }

    private ReceiveStream Stream(GuestStream stream) => stream == GuestStream.Output ? Output : Error;

    private void SendCredit(GuestStream stream, int bytes) => _connection.Credit(stream, Id, bytes);
}
