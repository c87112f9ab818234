using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What a person sees of exec, attach and port-forward.</summary>
[Collection(NodeCollection.Name)]
public sealed class StreamingTests(NodeLab lab)
{
    private const string V4 = "v4.channel.k8s.io";
    private const string V5 = "v5.channel.k8s.io";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Exec_brings_both_outputs_and_the_exit_code()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using SpdyProcess process = await SpdyProcess.ExecAsync(lab, container, stdin: false, tty: false, Token, "sh", "-c", "echo out; echo err >&2; exit 7");

        Assert.Equal("out\n", await process.Output!.ReadToEndAsync(Token));
        Assert.Equal("err\n", await process.Error!.ReadToEndAsync(Token));
        string status = await process.Status.ReadToEndAsync(Token);

        Assert.Equal(V4, process.Client.Headers["X-Stream-Protocol-Version"]);
        Assert.Contains("\"reason\":\"NonZeroExitCode\"", status, StringComparison.Ordinal);
        Assert.Contains("{\"reason\":\"ExitCode\",\"message\":\"7\"}", status, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_ends_the_input_when_the_client_does_and_success_is_told()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using SpdyProcess process = await SpdyProcess.ExecAsync(lab, container, stdin: true, tty: false, Token, "cat");
        string text = string.Concat(Enumerable.Range(0, 40_000).Select(number => number.ToString("D9", CultureInfo.InvariantCulture) + "\n"));

        await process.Input!.SendAsync(text, fin: true, Token);

        Assert.Equal(text, await process.Output!.ReadToEndAsync(Token));
        Assert.Equal("{\"metadata\":{},\"status\":\"Success\"}", await process.Status.ReadToEndAsync(Token));
    }

    [Fact]
    public async Task A_terminal_has_the_size_of_the_clients()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using SpdyProcess process = await SpdyProcess.ExecAsync(lab, container, stdin: true, tty: true, Token, "sh");

        await process.Resize!.SendAsync("{\"Width\":101,\"Height\":33}\n", fin: false, Token);
        await EventuallySizedAsync(process.Input!, process.Output!, "33 101");
        await process.Resize!.SendAsync("{\"Width\":77,\"Height\":22}\n", fin: false, Token);
        await EventuallySizedAsync(process.Input!, process.Output!, "22 77");
        await process.Input!.SendAsync("exit 3\n", fin: false, Token);

        Assert.Contains("\"message\":\"3\"", await process.Status.ReadToEndAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_does_not_exist_is_reported_as_a_failure()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using SpdyProcess process = await SpdyProcess.ExecAsync(lab, container, stdin: false, tty: false, Token, "/no/such/program");

        string status = await process.Status.ReadToEndAsync(Token);

        Assert.Contains("\"status\":\"Failure\"", status, StringComparison.Ordinal);
        Assert.Contains("/no/such/program", status, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_over_WebSocket_ends_the_input_on_the_close_channel_and_tells_the_exit_code()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using WebSocketTestClient client = await WebSocketTestClient.ConnectAsync(
            await ExecUrlAsync(lab, container, stdin: true, tty: false, Token, "sh", "-c", "cat; exit 5"), V5, Token);

        await client.SendAsync(0, "hello"u8.ToArray(), Token);
        await client.SendAsync(255, [0], Token);
        await client.ReadToEndAsync(Token);

        Assert.Equal("hello", client.Text(1));
        Assert.Contains("{\"reason\":\"ExitCode\",\"message\":\"5\"}", client.Text(3), StringComparison.Ordinal);
        Assert.Equal(WebSocketCloseStatus.NormalClosure, client.CloseStatus);
    }

    [Fact]
    public async Task Exec_over_WebSocket_speaks_base64_and_sizes_terminals()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using WebSocketTestClient client = await WebSocketTestClient.ConnectAsync(
            await ExecUrlAsync(lab, container, stdin: true, tty: true, Token, "sh", "-c", "while [ \"$(stty size)\" != '31 91' ]; do sleep 0.1; done; echo sized; read line; echo got-$line"),
            "v4.base64.channel.k8s.io", Token);

        await client.SendAsync(4, "{\"Width\":91,\"Height\":31}"u8.ToArray(), Token);
        await client.SendAsync(0, "words\n"u8.ToArray(), Token);
        await client.ReadToEndAsync(Token);

        Assert.Contains("sized", client.Text(1), StringComparison.Ordinal);
        Assert.Contains("got-words", client.Text(1), StringComparison.Ordinal);
        Assert.Contains("Success", client.Text(3), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_goes_takes_its_process_with_it()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using (SpdyProcess process = await SpdyProcess.ExecAsync(lab, container, stdin: true, tty: false, Token, "sh", "-c", "echo begun; exec sleep 4242"))
        {
            await process.Output!.WaitForAsync("begun", Token);
            Assert.Contains("sleep 4242", await pod.ExecAsync(container, Token, "ps"), StringComparison.Ordinal);
        }

        await Eventually.TrueAsync(
            async () => !(await pod.ExecAsync(container, Token, "ps")).Contains("sleep 4242", StringComparison.Ordinal),
            s_limit, () => $"sleep 4242 still runs\n{lab.Daemon.Log}", Token);
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_the_process_up_and_loses_nothing()
    {
        const int bytes = 24 * 1024 * 1024;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        await using SpdyProcess process = await SpdyProcess.ExecAsync(
            lab, container, stdin: true, tty: false, Token, "sh", "-c", $"read go; head -c {bytes} /dev/zero; echo written > /tmp/done");
        TaskCompletionSource read = new(TaskCreationOptions.RunContinuationsAsynchronously);
        process.Output!.BeforeTake = () => read.Task;

        await process.Input!.SendAsync("go\n", fin: false, Token);
        await Task.Delay(TimeSpan.FromSeconds(3), Token);
        ExecSyncResponse early = await lab.Cri.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = container, Cmd = { "cat", "/tmp/done" }, Timeout = 30 }, cancellationToken: Token);
        read.SetResult();
        await process.Output.ReadToEndAsync(Token);

        Assert.NotEqual(0, early.ExitCode);
        Assert.Equal(bytes, process.Output.Length);
    }

    [Fact]
    public async Task Twenty_sessions_at_once_do_not_mix()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        await Task.WhenAll(Enumerable.Range(0, 20).Select(async number =>
        {
            await using SpdyProcess process = await SpdyProcess.ExecAsync(lab, container, stdin: true, tty: false, Token, "sh", "-c", $"cat; exit {number}");
            string text = string.Concat(Enumerable.Repeat($"session {number}\n", 1000));
            await process.Input!.SendAsync(text, fin: true, Token);
            Assert.Equal(text, await process.Output!.ReadToEndAsync(Token));
            Assert.Contains(number == 0 ? "Success" : $"\"message\":\"{number}\"}}", await process.Status.ReadToEndAsync(Token), StringComparison.Ordinal);
        }));
    }

    [Fact]
    public async Task A_URL_is_good_once()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        string url = await ExecUrlAsync(lab, container, stdin: false, tty: false, Token, "true");
        using HttpClient http = new() { Timeout = TimeSpan.FromSeconds(10) };

        using HttpResponseMessage first = await http.GetAsync(new Uri(url), Token);
        await using SpdyTestClient second = await SpdyTestClient.ConnectAsync(url, Token, V4);
        await using SpdyTestClient other = await SpdyTestClient.ConnectAsync(
            (await ExecUrlAsync(lab, container, stdin: false, tty: false, Token, "true")).Replace("/exec/", "/attach/", StringComparison.Ordinal), Token, V4);
        await using SpdyTestClient unknown = await SpdyTestClient.ConnectAsync(
            await ExecUrlAsync(lab, container, stdin: false, tty: false, Token, "true"), Token, "v9.channel.k8s.io");

        Assert.Equal(HttpStatusCode.BadRequest, first.StatusCode);
        Assert.Equal((404, 404, 403), (second.Status, other.Status, unknown.Status));
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused_with_the_callers_fault()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string running = await pod.StartAsync(Token, "sleep", "1000");
        string created = await pod.CreateAsync(Token, null, "sleep", "1000");

        await FailsAsync(StatusCode.InvalidArgument, () => lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = running, Cmd = { "sh" }, Tty = true, Stdout = true, Stderr = true }));
        await FailsAsync(StatusCode.InvalidArgument, () => lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = running, Cmd = { "sh" } }));
        await FailsAsync(StatusCode.InvalidArgument, () => lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = running, Stdout = true }));
        await FailsAsync(StatusCode.FailedPrecondition, () => lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = created, Cmd = { "sh" }, Stdout = true }));
        await FailsAsync(StatusCode.NotFound, () => lab.Cri.Runtime.ExecAsync(new ExecRequest { ContainerId = "nobody", Cmd = { "sh" }, Stdout = true }));
        await FailsAsync(StatusCode.InvalidArgument, () => lab.Cri.Runtime.AttachAsync(new AttachRequest { ContainerId = running }));
        await FailsAsync(StatusCode.FailedPrecondition, () => lab.Cri.Runtime.AttachAsync(new AttachRequest { ContainerId = created, Stdout = true }));
        await FailsAsync(StatusCode.NotFound, () => lab.Cri.Runtime.PortForwardAsync(new PortForwardRequest { PodSandboxId = "nobody" }));
        await FailsAsync(StatusCode.InvalidArgument, () => lab.Cri.Runtime.PortForwardAsync(new PortForwardRequest { PodSandboxId = pod.Id, Port = { 0 } }));
        await FailsAsync(StatusCode.InvalidArgument, () => lab.Cri.Runtime.PortForwardAsync(new PortForwardRequest { PodSandboxId = pod.Id, Port = { 80, 65536 } }));
    }

    [Fact]
    public async Task Attach_joins_the_streams_of_a_container_and_its_end_closes_an_input_that_is_open_once()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(
            Token, config => (config.Stdin, config.StdinOnce) = (true, true), "sh", "-c", "echo early; while read line; do echo out-$line; echo err-$line >&2; done; echo over");
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        await Eventually.TrueAsync(() => Task.FromResult(pod.ReadLog("c0").Contains("early", StringComparison.Ordinal)), s_limit, () => lab.Daemon.Log, Token);
        await using SpdyProcess watcher = await SpdyProcess.AttachAsync(lab, container, stdin: false, Token);
        await using SpdyProcess typist = await SpdyProcess.AttachAsync(lab, container, stdin: true, Token);

        await Task.Delay(TimeSpan.FromMilliseconds(500), Token);
        await typist.Input!.SendAsync("one\n", fin: false, Token);
        await typist.Output!.WaitForAsync("out-one\n", Token);
        await typist.Error!.WaitForAsync("err-one\n", Token);
        await typist.Input!.SendAsync("two\n", fin: true, Token);

        Assert.Equal("out-one\nout-two\nover\n", await typist.Output!.ReadToEndAsync(Token));
        Assert.Equal("out-one\nout-two\nover\n", await watcher.Output!.ReadToEndAsync(Token));
        Assert.Equal("err-one\nerr-two\n", await watcher.Error!.ReadToEndAsync(Token));
        Assert.Contains("Success", await watcher.Status.ReadToEndAsync(Token), StringComparison.Ordinal);
        ContainerStatus status = await pod.WaitExitedAsync(container, s_limit, Token);
        Assert.Equal(0, status.ExitCode);
        Assert.Contains("stdout F out-two", pod.ReadLog("c0"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Detaching_leaves_the_container_running_and_another_can_attach_to_its_prompt()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(Token, config => (config.Stdin, config.Tty) = (true, true), "sh");
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);
        for (var round = 0; round < 2; round++)
        {
            string url = (await lab.Cri.Runtime.AttachAsync(
                new AttachRequest { ContainerId = container, Stdin = true, Stdout = true, Tty = true }, cancellationToken: Token)).Url;
            await using WebSocketTestClient client = await WebSocketTestClient.ConnectAsync(url, V5, Token);
            int width = 90 + round;
            await client.SendAsync(4, Encoding.ASCII.GetBytes($"{{\"Width\":{width},\"Height\":30}}"), Token);
            await Eventually.TrueAsync(async () =>
            {
                await client.SendAsync(0, "stty size\n"u8.ToArray(), Token);
                await Task.Delay(TimeSpan.FromMilliseconds(300), Token);
                return client.Text(1).Contains($"30 {width}", StringComparison.Ordinal);
            }, s_limit, () => $"{client.Text(1)} {client.Text(3)}\n{lab.Daemon.Log}", Token);
        }

        Assert.Equal(ContainerState.ContainerRunning, (await pod.ContainerStatusAsync(container, Token)).State);
    }

    [Fact]
    public async Task Port_forward_brings_the_pods_page_and_reports_a_port_where_nobody_listens()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string server = await pod.StartAsync(Token);
        await ServesAsync(pod, server, "http://127.0.0.1/");
        string url = (await lab.Cri.Runtime.PortForwardAsync(new PortForwardRequest { PodSandboxId = pod.Id }, cancellationToken: Token)).Url;
        await using SpdyTestClient client = await SpdyTestClient.ConnectAsync(url, Token, "portforward.k8s.io");

        (string page, string fault)[] pages = await Task.WhenAll(Enumerable.Range(0, 20).Select(number => GetAsync(client, number, 80)));
        (string nothing, string refused) = await GetAsync(client, 20, 4999);

        Assert.All(pages, got => Assert.Contains("<!doctype html", got.page, StringComparison.OrdinalIgnoreCase));
        Assert.All(pages, got => Assert.Equal("", got.fault));
        Assert.Equal("", nothing);
        Assert.Contains("4999", refused, StringComparison.Ordinal);
        Assert.Contains("refused", refused, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Port_forward_reaches_a_server_that_listens_on_IPv6_alone()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "httpd", "-f", "-p", "[::1]:8086", "-h", "/etc");
        await ServesAsync(pod, container, "http://[::1]:8086/hostname");
        string url = (await lab.Cri.Runtime.PortForwardAsync(new PortForwardRequest { PodSandboxId = pod.Id }, cancellationToken: Token)).Url;
        await using SpdyTestClient client = await SpdyTestClient.ConnectAsync(url, Token, "portforward.k8s.io");

        (string page, string fault) = await GetAsync(client, 0, 8086, "/hostname");

        Assert.Equal("", fault);
        Assert.Contains(pod.Config.Hostname, page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Port_forward_over_WebSocket_works_by_channels_and_as_a_tunnel()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string server = await pod.StartAsync(Token);
        await ServesAsync(pod, server, "http://127.0.0.1/");
        async Task<string> UrlAsync() => (await lab.Cri.Runtime.PortForwardAsync(
            new PortForwardRequest { PodSandboxId = pod.Id, Port = { 80, 4999 } }, cancellationToken: Token)).Url;

        await using WebSocketTestClient channels = await WebSocketTestClient.ConnectAsync(await UrlAsync(), V4, Token);
        await channels.SendAsync(0, Encoding.ASCII.GetBytes(PageRequest("/")), Token);
        await channels.ReadToEndAsync(Token);
        using WebSocket socket = await WebSocketTestClient.OpenByHandAsync(await UrlAsync(), "SPDY/3.1+portforward.k8s.io", Token);
        await using SpdyTestClient tunnel = new(WebSocketStream.Create(socket, WebSocketMessageType.Binary, ownsWebSocket: true));
        (string page, string fault) = await GetAsync(tunnel, 0, 80);

        Assert.StartsWith("P\0HTTP/1", channels.Text(0), StringComparison.Ordinal);
        Assert.Equal([80, 0], channels.Bytes(1));
        Assert.Contains("refused", channels.Text(3), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("<!doctype html", page, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("", fault);
    }

    internal static async Task<string> ExecUrlAsync(NodeLab lab, string container, bool stdin, bool tty, CancellationToken cancellationToken, params string[] command) =>
        (await lab.Cri.Runtime.ExecAsync(
            new ExecRequest { ContainerId = container, Cmd = { command }, Stdin = stdin, Stdout = true, Stderr = !tty, Tty = tty },
            cancellationToken: cancellationToken)).Url;

    private static async Task EventuallySizedAsync(SpdyTestStream input, SpdyTestStream output, string size) =>
        await Eventually.TrueAsync(async () =>
        {
            await input.SendAsync("stty size\n", fin: false, Token);
            await Task.Delay(TimeSpan.FromMilliseconds(300), Token);
            return output.Text.Contains(size, StringComparison.Ordinal);
        }, s_limit, () => output.Text, Token);

    private static async Task FailsAsync<T>(StatusCode code, Func<AsyncUnaryCall<T>> call) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<RpcException>(() => call().ResponseAsync)).StatusCode);

    private static string PageRequest(string path) => $"GET {path} HTTP/1.0\r\nHost: pod\r\n\r\n";

    private static async Task<(string Page, string Fault)> GetAsync(SpdyTestClient client, int request, int port, string path = "/")
    {
        (string, string)[] headers = [("port", $"{port}"), ("requestid", $"{request}")];
        SpdyTestStream error = await client.OpenAsync(Token, [("streamtype", "error"), .. headers]);
        await error.SendAsync("", fin: true, Token);
        SpdyTestStream data = await client.OpenAsync(Token, [("streamtype", "data"), .. headers]);
        await data.SendAsync(PageRequest(path), fin: false, Token);
        return (await data.ReadToEndAsync(Token), await error.ReadToEndAsync(Token));
    }

    private async Task ServesAsync(PodUnderTest pod, string container, string url) => await Eventually.TrueAsync(
        async () => (await lab.Cri.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = container, Cmd = { "wget", "-q", "-O", "-", url }, Timeout = 10 }, cancellationToken: Token)).ExitCode == 0,
        s_limit, () => $"{pod.Id} does not serve {url}\n{lab.Daemon.Log}", Token);
}
