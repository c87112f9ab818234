using System.Security.Cryptography;
using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Runtime.Guest;

/// <summary>Opens a session: Hello out, everything discarded until the HelloReply that repeats our nonce.</summary>
internal static class GuestHandshake
{
    /// <summary>Runs it; the token is the only deadline.</summary>
    /// <exception cref="GuestException">WrongState: no common version. ConnectionLost: the guest's end closed.</exception>
    internal static async Task<HelloReply> RunAsync(
        FrameReader reader, FrameWriter writer, bool usedBefore, bool forTemplate, CancellationToken cancellationToken)
    {
        var hello = new Hello(
            Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), ProtocolLimits.OldestVersion, ProtocolLimits.Version, forTemplate);
        if (usedBefore)
        {
            writer.PostPadding();
        }

        writer.Post(FrameKind.Hello, default, 0, JsonSerializer.SerializeToUtf8Bytes(hello, GuestJson.Default.Hello));
        try
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                if (reader.Header.Kind == FrameKind.HelloReply && Parse(reader.Body.Span) is { } reply && reply.Nonce == hello.Nonce)
                {
                    return Check(reply);
                }
            }
        }
        catch (IOException exception)
        {
            throw Lost(exception.Message, exception);
        }

        throw Lost("its end was closed", null);
    }

    private static HelloReply Check(HelloReply reply) =>
        reply.Version is >= ProtocolLimits.OldestVersion and <= ProtocolLimits.Version
            ? reply
            : throw new GuestException(
                GuestFault.WrongState,
                $"The agent {reply.AgentVersion} in the guest speaks protocol versions {reply.OldestVersion} to {reply.NewestVersion}, "
                + $"this host {ProtocolLimits.OldestVersion} to {ProtocolLimits.Version}. Rebuild the guest's initramfs, or start the machine anew with it.");

    private static HelloReply? Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, GuestJson.Default.HelloReply);
        }
        catch (JsonException)
        {
            // Bytes of an older session that happen to look like a reply; ours is still to come.
            return null;
        }
    }

    private static GuestException Lost(string what, Exception? cause) =>
        new(GuestFault.Failed, $"The guest did not answer Hello: {what}.", connectionLost: true, cause);
}
