using System.Text.Json;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Channel;

/// <summary>Serves the host's sessions one after another: reads requests, runs them by <see cref="MethodTable"/>, sends events.</summary>
/// <param name="transport">Where the host's connections come from.</param>
/// <param name="methods">What is answered.</param>
/// <param name="facts">
/// The agent's HelloReply; Nonce, Version, OldestVersion and NewestVersion are the channel's to say.
/// </param>
/// <param name="log">Writes one line to the guest's console.</param>
internal sealed class AgentChannel(IChannelTransport transport, MethodTable methods, HelloReply facts, Action<string> log)
{
    private static readonly TimeSpan AcceptRetry = TimeSpan.FromSeconds(1);

    // Kept from session to session: a clone that makes a new one waits for its kernel to hand out the memory.
    private readonly byte[] _buffer = FrameReader.NewBuffer();

    private FrameWriter? _writer;
    private AgentSession? _session;
    private bool _hadSession;

    /// <summary>Serves until the token fires; never ends for any fault of the host or of a handler.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using Stream stream = await transport.AcceptAsync(cancellationToken);
                await ServeAsync(stream, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                log($"channel: no connection to the host, trying again in {AcceptRetry.TotalSeconds:0} s: {exception}");
                await Task.Delay(AcceptRetry, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Sends an event to the host; dropped when there is no session (the host lists the containers on connecting).</summary>
    public void Publish(GuestEvent guestEvent) =>
        Volatile.Read(ref _session)?.Post(
            FrameKind.Event, default, 0, JsonSerializer.SerializeToUtf8Bytes(guestEvent, GuestJson.Default.GuestEvent));

    /// <summary>Completes once everything queued so far was handed to the kernel, or there is no host; for answering before power-off.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) =>
        Volatile.Read(ref _writer)?.FlushAsync(cancellationToken) ?? Task.CompletedTask;

    private async Task ServeAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var reader = new FrameReader(stream, _buffer);
        var writer = new FrameWriter(stream);
        Volatile.Write(ref _writer, writer);
        try
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                if (reader.Header.Kind == FrameKind.Hello)
                {
                    Open(writer, reader.Body.Span);
                }
                else
                {
                    _session?.Receive(reader.Header, reader.Body.Span, reader.Oversized);
                }
            }
        }
        catch (IOException exception)
        {
            log($"channel: the connection to the host broke: {exception.Message}");
        }
        finally
        {
            EndSession();
            writer.Abort(new IOException("The host is gone."));
        }
    }

    private void Open(FrameWriter writer, ReadOnlySpan<byte> body)
    {
        if (Parse(body) is not { } hello)
        {
            return;
        }

        int version = Math.Min(hello.NewestVersion, ProtocolLimits.Version);
        bool shared = version >= Math.Max(hello.OldestVersion, ProtocolLimits.OldestVersion);
        if (_session?.Nonce != hello.Nonce)
        {
            EndSession();
            if (_hadSession && transport.CarriesBytesOver)
            {
                // The host's reader may be in the middle of a frame of the session before, cut off when that host went.
                writer.PostPadding();
            }
        }

        HelloReply reply = facts with
        {
            Nonce = hello.Nonce,
            Version = shared ? version : 0,
            OldestVersion = ProtocolLimits.OldestVersion,
            NewestVersion = ProtocolLimits.Version,
        };
        writer.Post(FrameKind.HelloReply, default, 0, JsonSerializer.SerializeToUtf8Bytes(reply, GuestJson.Default.HelloReply));
        _hadSession |= !hello.ForTemplate; // That one ends in order, and a clone has a host of its own.
        if (shared && _session is null)
        {
            Volatile.Write(ref _session, new AgentSession(hello.Nonce, writer, methods, log));
        }
    }

    private Hello? Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, GuestJson.Default.Hello) is { Nonce.Length: > 0 } hello
                ? hello
                : throw new JsonException("it has no nonce");
        }
        catch (JsonException exception)
        {
            log($"channel: a Hello that cannot be read was ignored: {exception.Message}");
            return null;
        }
    }

    private void EndSession()
    {
        Volatile.Read(ref _session)?.End();
        Volatile.Write(ref _session, null);
    }
}
