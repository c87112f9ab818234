using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.EndToEnd;
using Vks.Tests.Kit;

namespace Vks.Tests.Fuzz;

/// <summary>Clients of the streaming server that speak SPDY and WebSocket badly: the server hangs up, and nothing of the session stays.</summary>
[Collection(NodeCollection.Name)]
public sealed class StreamingFuzzTests(NodeLab lab, ITestOutputHelper output)
{
    private const int AllowedDescriptors = 40;
    private static readonly TimeSpan s_hangUp = TimeSpan.FromSeconds(30);
    private static readonly string[] s_protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io", "v4.base64.channel.k8s.io", "base64.channel.k8s.io", "SPDY/3.1+portforward.k8s.io", "portforward.k8s.io", "", "x"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Clients_at_random_are_hung_up_on_and_leave_no_process_and_no_descriptor()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "100000");
        int before = lab.TakeLeakCheck().DaemonDescriptors;
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        FuzzTime time = FuzzTime.Start(TimeSpan.FromSeconds(8));
        var sessions = 0;
        for (; sessions == 0 || time.GoesOn; sessions++)
        {
            int seed = time.Seed + sessions;
            string outcome = await SessionAsync(new Random(seed), pod.Id, container, seed);
            outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
            if (sessions % 20 == 0)
            {
                Assert.Equal("ok\n", await pod.ExecAsync(container, Token, "echo", "ok"));
            }
        }

        Report($"{sessions} streaming sessions, seeds from {time.Seed} on: {string.Join(", ", outcomes.Select(one => $"{one.Key} {one.Value}"))}");
        string processes = "";
        await Eventually.TrueAsync(
            async () => (processes = await pod.ExecAsync(container, Token, "ps", "-o", "args")).Split('\n').All(line => line is not ("cat" or "sh")),
            s_hangUp, () => $"processes of sessions stay: {processes}", Token);
        await Eventually.TrueAsync(
            () => Task.FromResult(lab.TakeLeakCheck().DaemonDescriptors <= before + AllowedDescriptors), s_hangUp, () => $"descriptors stay: {before} before, {lab.TakeLeakCheck().DaemonDescriptors} now", Token);
        Assert.DoesNotContain("Unhandled", lab.Daemon.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("unhandled exception", lab.Daemon.Log, StringComparison.OrdinalIgnoreCase);
    }

    private async Task<string> SessionAsync(Random random, string pod, string container, int seed)
    {
        var uri = new Uri(await UrlAsync(random, pod, container));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(uri.Host, uri.Port, Token);
        var frames = new StreamFrames(random);
        bool spdy = random.Next(2) == 0;
        string protocol = random.Next(4) == 0 ? s_protocols[random.Next(s_protocols.Length)] : spdy || uri.AbsolutePath.Contains("exec", StringComparison.Ordinal) ? "v4.channel.k8s.io" : "SPDY/3.1+portforward.k8s.io";
        Task<bool> reading = DrainAsync(socket);
        var outcome = "closed by the client";
        try
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(Upgrade(random, uri, spdy, protocol)), Token);
            await Task.Delay(random.Next(30), Token);
            bool tunnel = protocol.StartsWith("SPDY", StringComparison.Ordinal);
            for (int left = random.Next(1, 25); left > 0; left--)
            {
                byte[] frame = spdy ? frames.Spdy() : frames.WebSocket(protocol.Contains("base64", StringComparison.Ordinal));
                await socket.SendAsync(random.Next(25) == 0 ? frame[..random.Next(frame.Length + 1)] : frame, Token).AsTask().WaitAsync(TimeSpan.FromSeconds(2), Token);
                if (random.Next(6) == 0)
                {
                    await Task.Delay(random.Next(10), Token);
                }
            }
        }
        catch (SocketException)
        {
            outcome = "hung up on";
        }
        catch (TimeoutException)
        {
            // A session whose process reads nothing takes no more: that is back-pressure.
            outcome = "held up";
        }

        if (random.Next(3) == 0)
        {
            socket.LingerState = new LingerOption(true, 0);
            return outcome;
        }

        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            return "hung up on";
        }

        // The other half is closed, so nothing more can come of this client: the server has to hang up.
        Assert.True(await Task.WhenAny(reading, Task.Delay(s_hangUp, Token)) == reading, $"seed {seed}: the server keeps a session whose client has gone ({uri.AbsolutePath.Split('/')[1]}, {(spdy ? "SPDY" : "WebSocket")} {protocol})");
        return outcome;
    }

    private async Task<string> UrlAsync(Random random, string pod, string container) => random.Next(5) switch
    {
        0 => (await lab.Cri.Runtime.AttachAsync(new AttachRequest { ContainerId = container, Stdout = true, Stderr = true }, cancellationToken: Token)).Url,
        1 or 2 => (await lab.Cri.Runtime.PortForwardAsync(new PortForwardRequest { PodSandboxId = pod }, cancellationToken: Token)).Url,
        3 => (await lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = container, Cmd = { "sh" }, Stdin = true, Stdout = true, Tty = true }, cancellationToken: Token)).Url,
        _ => (await lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = container, Cmd = { "cat" }, Stdin = true, Stdout = true, Stderr = true }, cancellationToken: Token)).Url,
    };

    private static string Upgrade(Random random, Uri uri, bool spdy, string protocol)
    {
        string path = random.Next(30) == 0 ? uri.AbsolutePath[..^3] : uri.AbsolutePath;
        string head = spdy
            ? $"POST {path} HTTP/1.1\r\nHost: {uri.Authority}\r\nConnection: Upgrade\r\nUpgrade: {(random.Next(30) == 0 ? "SPDY/2" : "SPDY/3.1")}\r\nX-Stream-Protocol-Version: {protocol}\r\n"
            : $"GET {path} HTTP/1.1\r\nHost: {uri.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: {(random.Next(30) == 0 ? 99 : 13)}\r\nSec-WebSocket-Key: {(random.Next(30) == 0 ? "x" : "dGhlIHNhbXBsZSBub25jZQ==")}\r\nSec-WebSocket-Protocol: {protocol}\r\n";
        return random.Next(30) == 0 ? head + "Content-Length: -5\r\n\r\n" : random.Next(20) == 0 ? head : head + (spdy ? "Content-Length: 0\r\n\r\n" : "\r\n");
    }

    /// <summary>Reads until the server hangs up.</summary>
    private static async Task<bool> DrainAsync(Socket socket)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await socket.ReceiveAsync(buffer, Token) > 0)
            {
                // What it says is of no interest.
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            return false;
        }

        return true;
    }

    private void Report(string line)
    {
        output.WriteLine(line);
        if (Environment.GetEnvironmentVariable("VKS_FUZZ_REPORT") is { } path)
        {
            File.AppendAllText(path, string.Create(CultureInfo.InvariantCulture, $"{line}\n\n"));
        }
    }
}
