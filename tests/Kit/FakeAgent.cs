using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Kit;

/// <summary>The guest's end of a channel, played by a script: for answers that the real agent does not give.</summary>
internal sealed class FakeAgent(Stream stream) : IAsyncDisposable
{
    private readonly FrameReader _reader = new(stream);

    /// <summary>What <see cref="AcceptHelloAsync"/> answers, nonce aside.</summary>
    public HelloReply Reply { get; set; } =
        new("", ProtocolLimits.Version, ProtocolLimits.OldestVersion, ProtocolLimits.Version, "0.0-fake", "6.1.0-fake", 1, 2);

    /// <summary>Listens on a unix socket and plays the script once for the first connection; dispose the result to end it.</summary>
    /// <param name="path">Where the host connects.</param>
    /// <param name="script">E.g. <see cref="NeverAnswersAsync"/>.</param>
    public static FakeAgentListener Listen(string path, Func<FakeAgent, CancellationToken, Task> script) => new(path, script);

    /// <summary>A script: reads everything, says nothing.</summary>
    public static async Task NeverAnswersAsync(FakeAgent agent, CancellationToken cancellationToken)
    {
        while (await agent._reader.ReadAsync(cancellationToken))
        {
        }
    }

    /// <summary>A script: opens the session, answers nothing after it.</summary>
    public static async Task GoesSilentAsync(FakeAgent agent, CancellationToken cancellationToken)
    {
        await agent.AcceptHelloAsync(cancellationToken);
        await NeverAnswersAsync(agent, cancellationToken);
    }

    /// <summary>A script: sends 1 MiB of noise instead of a HelloReply.</summary>
    public static async Task TalksGarbageAsync(FakeAgent agent, CancellationToken cancellationToken)
    {
        byte[] noise = new byte[1024 * 1024];
        new Random(1).NextBytes(noise);
        await agent.SendRawAsync(noise, cancellationToken);
        await NeverAnswersAsync(agent, cancellationToken);
    }

    /// <summary>A script: opens the session and hangs up at the first request.</summary>
    public static async Task DiesMidCallAsync(FakeAgent agent, CancellationToken cancellationToken)
    {
        await agent.AcceptHelloAsync(cancellationToken);
        await agent.ExpectAsync(FrameKind.Request, cancellationToken);
    }

    /// <summary>Reads the Hello and answers it with <see cref="Reply"/>.</summary>
    public async Task AcceptHelloAsync(CancellationToken cancellationToken)
    {
        (_, byte[] body) = await ExpectAsync(FrameKind.Hello, cancellationToken);
        Hello hello = JsonSerializer.Deserialize(body, GuestJson.Default.Hello)!;
        await SendAsync(FrameKind.HelloReply, 0, Reply with { Nonce = hello.Nonce }, GuestJson.Default.HelloReply, cancellationToken);
    }

    /// <summary>Reads until a message of that kind; others are passed over.</summary>
    public async Task<(FrameHeader Header, byte[] Body)> ExpectAsync(FrameKind kind, CancellationToken cancellationToken)
    {
        while (await _reader.ReadAsync(cancellationToken))
        {
            if (_reader.Header.Kind == kind)
            {
                return (_reader.Header, _reader.Body.ToArray());
            }
        }

        throw new EndOfStreamException($"The host closed the channel, {kind} was expected of it.");
    }

    /// <summary>Sends one JSON message.</summary>
    public Task SendAsync<T>(FrameKind kind, uint callId, T body, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        SendAsync(kind, default, callId, JsonSerializer.SerializeToUtf8Bytes(body, type), cancellationToken);

    /// <summary>Sends one message as a single frame.</summary>
    public Task SendAsync(FrameKind kind, GuestStream frameStream, uint callId, byte[] body, CancellationToken cancellationToken) =>
        SendRawAsync(Frame(kind, frameStream, callId, body), cancellationToken);

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendRawAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(bytes, cancellationToken);
        await stream.FlushAsync(cancellationToken);
    }

    /// <summary>One frame's bytes.</summary>
    public static byte[] Frame(FrameKind kind, GuestStream frameStream, uint callId, byte[] body, bool more = false)
    {
        byte[] frame = new byte[ProtocolLimits.HeaderBytes + body.Length];
        new FrameHeader(kind, frameStream, callId, body.Length, more).Write(frame);
        body.CopyTo(frame, ProtocolLimits.HeaderBytes);
        return frame;
    }

    /// <summary>A text as bytes.</summary>
    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await stream.DisposeAsync();
    }
}

/// <summary>A unix socket behind which a <see cref="FakeAgent"/> waits.</summary>
internal sealed class FakeAgentListener : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _path;
    private readonly Task _script;

    internal FakeAgentListener(string path, Func<FakeAgent, CancellationToken, Task> script)
    {
        _path = path;
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
        _script = RunAsync(script);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        try
        {
            await _script;
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The script was under way: disposing is how it ends.
        }

        _stop.Dispose();
        File.Delete(_path);
    }

    private async Task RunAsync(Func<FakeAgent, CancellationToken, Task> script)
    {
        Socket socket = await _listener.AcceptAsync(_stop.Token);
        await using var agent = new FakeAgent(new NetworkStream(socket, ownsSocket: true));
        await script(agent, _stop.Token);
    }
}
