using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Vks.Runtime.Guest;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Streaming;

/// <summary>Answers the connections that clients make to the URLs given out: picks the protocol, then runs the session.</summary>
internal sealed partial class StreamingServer(
    StreamingTokens tokens, PodTable table, StreamingOptions options, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<StreamingServer> logger)
{
    private const string SpdyUpgrade = "SPDY/3.1";

    /// <summary>One connection. A token is spent by it, whatever comes of it.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        string[] path = (context.Request.Path.Value ?? "").Split('/');
        if (path.Length != 3 || !(HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsPost(context.Request.Method)))
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "There is nothing here; ask the CRI server for a URL.");
        }
        else if (tokens.Redeem(path[2]) is not { } request || request.Verb != path[1])
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "This URL was used before, is older than a minute, or was never given out; ask the CRI server for a new one.");
        }
        else if (context.WebSockets.IsWebSocketRequest)
        {
            await ServeWebSocketAsync(context, request);
        }
        else
        {
            await ServeSpdyAsync(context, request);
        }
    }

    private async Task ServeSpdyAsync(HttpContext context, StreamRequest request)
    {
        if (context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade
            || !context.Request.Headers.Upgrade.ToString().Equals(SpdyUpgrade, StringComparison.OrdinalIgnoreCase))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, $"Upgrade the connection to {SpdyUpgrade} or to a WebSocket.");
            return;
        }

        IReadOnlyList<StreamingProtocol> known = request is PortForwardStreamRequest ? StreamingProtocol.SpdyPorts : StreamingProtocol.SpdyProcess;
        if (StreamingProtocol.Choose(Offered(context.Request.Headers[StreamingProtocol.Header]), known) is not { } protocol)
        {
            context.Response.Headers["X-Accepted-Stream-Protocol-Versions"] = string.Join(", ", known.Select(static one => one.Name));
            await RefuseAsync(context, StatusCodes.Status403Forbidden, "None of the offered stream protocols is known here.");
            return;
        }

        context.Response.Headers.Upgrade = SpdyUpgrade;
        if (protocol.Name.Length > 0)
        {
            context.Response.Headers[StreamingProtocol.Header] = protocol.Name;
        }

        await using Stream transport = await upgrade.UpgradeAsync();
        await RunAsync(context, request, (idle, token) => RunSpdyAsync(transport, request, protocol, idle, token));
    }

    private async Task ServeWebSocketAsync(HttpContext context, StreamRequest request)
    {
        IReadOnlyList<StreamingProtocol> known = request is PortForwardStreamRequest ? StreamingProtocol.WebSocketPorts : StreamingProtocol.WebSocketProcess;
        if (StreamingProtocol.Choose([.. context.WebSockets.WebSocketRequestedProtocols], known) is not { } protocol)
        {
            await RefuseAsync(
                context, StatusCodes.Status400BadRequest, $"None of the offered WebSocket protocols is known here; known are {string.Join(", ", known.Select(static one => one.Name))}.");
            return;
        }

        using WebSocket socket = protocol.Name == StreamingProtocol.PortForwardTunnel
            ? await AcceptTunnelAsync(context)
            : await context.WebSockets.AcceptWebSocketAsync(protocol.Name.Length > 0 ? protocol.Name : null);
        await RunAsync(context, request, (idle, token) => RunWebSocketAsync(socket, request, protocol, idle, token));
    }

    /// <summary>Accepts by hand: the class library refuses the protocol's name for its slash, which clients send all the same.</summary>
    private static async Task<WebSocket> AcceptTunnelAsync(HttpContext context)
    {
        const string acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        string key = context.Request.Headers.SecWebSocketKey.ToString();
        context.Response.Headers.Upgrade = "websocket";
#pragma warning disable CA5350 // RFC 6455 section 4.2.2 asks for SHA-1; it proves that a WebSocket server answers and protects nothing.
        context.Response.Headers.SecWebSocketAccept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + acceptSuffix)));
#pragma warning restore CA5350
        context.Response.Headers.SecWebSocketProtocol = StreamingProtocol.PortForwardTunnel;
        Stream stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        return WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true });
    }

    /// <summary>Runs a session under its limits: the client, the idle time, the end of the daemon.</summary>
    private async Task RunAsync(HttpContext context, StreamRequest request, Func<IdleWatch, CancellationToken, Task> session)
    {
        using var idle = new IdleWatch(options.IdleTimeout, time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping, idle.Token);
        long start = time.GetTimestamp();
        SessionBegins(request.Verb);
        try
        {
            await session(idle, over.Token);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or WebSocketException)
        {
            SessionCut(request.Verb, idle.Token.IsCancellationRequested ? "nothing came for too long" : gone.Message);
        }

        SessionEnded(request.Verb, time.GetElapsedTime(start).TotalSeconds);
    }

    private async Task RunSpdyAsync(
        Stream transport, StreamRequest request, StreamingProtocol protocol, IdleWatch idle, CancellationToken cancellationToken)
    {
        await using var connection = new SpdyConnection(transport, idle.Touch, time, logger);
        connection.Start();
        if (request is PortForwardStreamRequest ports)
        {
            await ForwardAsync(connection, ports, cancellationToken);
            return;
        }

        using var opening = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using ITimer deadline = time.CreateTimer(_ => opening.Cancel(), null, options.OpenTimeout, Timeout.InfiniteTimeSpan);
        var wanted = (ProcessStreamRequest)request;
        await using SpdyProcessClient? client = await SpdyProcessClient.AcceptAsync(connection, protocol, wanted, options.LingerTimeout, opening.Token);
        if (client is not null)
        {
            await RunProcessAsync(client, wanted, idle, cancellationToken);
        }
    }

    private async Task RunWebSocketAsync(
        WebSocket socket, StreamRequest request, StreamingProtocol protocol, IdleWatch idle, CancellationToken cancellationToken)
    {
        switch (request)
        {
            case PortForwardStreamRequest ports when protocol.Name == StreamingProtocol.PortForwardTunnel:
                await using (WebSocketStream tunnel = WebSocketStream.Create(socket, WebSocketMessageType.Binary, ownsWebSocket: false))
                await using (var connection = new SpdyConnection(tunnel, idle.Touch, time, logger))
                {
                    connection.Start();
                    await ForwardAsync(connection, ports, cancellationToken);
                }

                break;
            case PortForwardStreamRequest ports:
                await new WebSocketPortForward(new PortConnection(table), ports, options, time)
                    .RunAsync(socket, protocol.Base64, idle.Touch, cancellationToken);
                break;
            case ProcessStreamRequest process:
                await using (var client = new WebSocketProcessClient(socket, protocol, process, idle.Touch, options, time))
                {
                    await client.StartAsync(cancellationToken);
                    await RunProcessAsync(client, process, idle, cancellationToken);
                }

                break;
            default:
                throw new InvalidOperationException($"{request.GetType().Name} has no session.");
        }
    }

    private async Task ForwardAsync(SpdyConnection connection, PortForwardStreamRequest request, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, connection.Gone);
        await new SpdyPortForward(new PortConnection(table), request.PodId, options, time).RunAsync(connection, over.Token);
    }

    private async Task RunProcessAsync(IProcessClient client, ProcessStreamRequest request, IdleWatch idle, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, client.Gone);
        StreamStatus status;
        try
        {
            status = request switch
            {
                ExecStreamRequest exec => await new ExecSession(table, time).RunAsync(exec, client, over.Token),
                AttachStreamRequest attach => await new AttachSession(table, time).RunAsync(attach, client, over.Token),
                _ => throw new InvalidOperationException($"{request.GetType().Name} has no session."),
            };
        }
        catch (Exception fault) when (fault is PodException or GuestException)
        {
            status = StreamStatus.Failed(fault.Message);
        }
        catch (OperationCanceledException) when (!client.Gone.IsCancellationRequested)
        {
            status = StreamStatus.Failed(idle.Token.IsCancellationRequested
                ? $"The session was silent for {options.IdleTimeout.TotalSeconds:0} s and was ended."
                : "The node's daemon is being restarted; connect again.");
        }

        using var lastWords = CancellationTokenSource.CreateLinkedTokenSource(client.Gone);
        await using ITimer deadline = time.CreateTimer(_ => lastWords.Cancel(), null, options.LingerTimeout, Timeout.InfiniteTimeSpan);
        await client.FinishAsync(status, lastWords.Token);
    }

    private static IReadOnlyList<string> Offered(Microsoft.Extensions.Primitives.StringValues header) =>
        [.. header.SelectMany(static line => (line ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];

    private async Task RefuseAsync(HttpContext context, int status, string why)
    {
        RequestRefused(status, why);
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(why + "\n", context.RequestAborted);
    }

    [LoggerMessage(3300, LogLevel.Debug, "A {Verb} session begins")]
    private partial void SessionBegins(string verb);

    [LoggerMessage(3301, LogLevel.Debug, "A {Verb} session has ended after {Seconds:0.0} s")]
    private partial void SessionEnded(string verb, double seconds);

    [LoggerMessage(3302, LogLevel.Debug, "A {Verb} session was cut: {Reason}")]
    private partial void SessionCut(string verb, string reason);

    [LoggerMessage(3303, LogLevel.Warning, "A streaming request was answered with {Status}: {Reason}")]
    private partial void RequestRefused(int status, string reason);
}
