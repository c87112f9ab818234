using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>The daemon's own metrics and traces, as Prometheus and a collector get them.</summary>
[Collection(NodeCollection.Name)]
public sealed partial class TelemetryTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Prometheus_finds_calls_starts_machines_pulls_and_overhead_on_an_address_of_its_own()
    {
        string address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{FreePort()}");
        await lab.RestartDaemonAsync(Token, "--metrics-address", address);
        using HttpClient http = new() { BaseAddress = new Uri($"http://{address}/"), Timeout = TimeSpan.FromSeconds(30) };
        Dictionary<string, double> metrics;
        string text;
        PodUnderTest pod;
        await using (pod = await PodUnderTest.RunAsync(lab, Token))
        {
            await pod.StartAsync(Token, "sleep", "1000");
            await lab.Cri.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = lab.Image } }, cancellationToken: Token);
            await Assert.ThrowsAsync<RpcException>(() => lab.Cri.Runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = "none" }, cancellationToken: Token).ResponseAsync);
            text = await http.GetStringAsync(new Uri("metrics", UriKind.Relative), Token);
            metrics = Parse(text);
        }

        Assert.Equal(1, One("vks_cri_call_duration_seconds_count", "method=\"RunPodSandbox\"", "code=\"OK\""));
        Assert.Equal(1, One("vks_cri_call_duration_seconds_count", "method=\"PodSandboxStatus\"", "code=\"NotFound\""));
        Assert.Equal(1, One("vks_machine_start_duration_seconds_count"));
        Assert.True(One("vks_machine_start_duration_seconds_sum") > 0.01, text);
        Assert.Equal(1, One("vks_machine_start_stage_duration_seconds_count", "stage=\"qemu\""));
        Assert.Equal(1, One("vks_machines", "state=\"Running\""));
        Assert.Equal(0, One("vks_machines", "state=\"Starting\""));
        Assert.Equal(1, One("vks_pods", "state=\"Ready\""));
        Assert.Equal(1, One("vks_containers", "state=\"Running\""));
        Assert.Equal(1, One("vks_image_pull_duration_seconds_count", "outcome=\"ok\""));
        string[] labels = [$"pod=\"{pod.Config.Metadata.Name}\"", "namespace=\"test\"", $"id=\"{pod.Id}\""];
        double whole = One("vks_pod_machine_memory_pss_bytes", labels);
        Assert.InRange(One("vks_pod_machine_memory_overhead_bytes", labels), 16 << 20, whole);
        Assert.InRange(whole, 32 << 20, 900 << 20);
        Assert.InRange(One("process_resident_memory_bytes"), 10 << 20, 1 << 30);
        Assert.InRange(One("process_cpu_seconds_total"), 0.01, 600);
        Assert.Contains(metrics.Keys, name => name.StartsWith("dotnet_gc_", StringComparison.Ordinal));

        // Nothing else is served there, and CRI not at all.
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(new Uri("/", UriKind.Relative), Token)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.PostAsync(new Uri("/runtime.v1.RuntimeService/Version", UriKind.Relative), null, Token)).StatusCode);

        double One(string name, params string[] wanted)
        {
            string[] found = [.. metrics.Keys.Where(key => Regex.IsMatch(key, $"^{name}(\\{{|$)") && wanted.All(label => key.Contains(label, StringComparison.Ordinal)))];
            Assert.True(found.Length == 1, $"{name} {string.Join(',', wanted)} is there {found.Length} times:\n{text}");
            return metrics[found[0]];
        }
    }

    [Fact]
    public async Task A_pod_is_one_trace_from_the_kubelets_span_to_the_agents_calls()
    {
        const string Trace = "0af7651916cd43dd8448eb211c80319c";
        const string Kubelet = "b7ad6b7169203331";
        await using TraceReceiver receiver = await TraceReceiver.StartAsync(Token);
        await lab.RestartDaemonAsync(Token, "--tracing-endpoint", receiver.Endpoint);
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        string container;

        string pod = (await lab.Cri.Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config }, TraceParent("01"), cancellationToken: Token)).PodSandboxId;
        try
        {
            container = (await lab.Cri.Runtime.CreateContainerAsync(
                new CreateContainerRequest
                {
                    PodSandboxId = pod,
                    SandboxConfig = config,
                    Config = new ContainerConfig { Metadata = new ContainerMetadata { Name = "c" }, Image = new ImageSpec { Image = lab.Image }, Command = { "sleep", "1000" } },
                },
                TraceParent("01"),
                cancellationToken: Token)).ContainerId;
            await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, TraceParent("01"), cancellationToken: Token);
            await Assert.ThrowsAsync<RpcException>(() => lab.Cri.Runtime.ContainerStatusAsync(
                new ContainerStatusRequest { ContainerId = "none" }, TraceParent("01"), cancellationToken: Token).ResponseAsync);

            // Neither what the caller does not sample, nor what has no caller's span.
            await lab.Cri.Runtime.VersionAsync(new VersionRequest(), TraceParent("00"), cancellationToken: Token);
            await lab.Cri.Runtime.StatusAsync(new StatusRequest(), cancellationToken: Token);
            await Eventually.TrueAsync(
                () => Task.FromResult(receiver.Spans.Any(span => span.Name.EndsWith("/ContainerStatus", StringComparison.Ordinal))), TimeSpan.FromSeconds(30), () => lab.Daemon.Log, Token);
        }
        finally
        {
            await lab.Cri.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod }, cancellationToken: CancellationToken.None);
        }

        IReadOnlyList<TraceSpan> spans = receiver.Spans;
        Assert.All(spans, span => Assert.Equal(Trace, span.TraceId));
        TraceSpan run = spans.Single(span => span.Name == "runtime.v1.RuntimeService/RunPodSandbox");
        Assert.Equal(Kubelet, run.ParentId);
        Assert.Equal(("grpc", "RunPodSandbox"), (run.Attributes["rpc.system"], run.Attributes["rpc.method"]));
        Assert.Equal(3, Below(run).Count(name => name is "network setup" or "machine start" or "agent guest.configure"));
        TraceSpan start = spans.Single(span => span.Name == "machine start");
        Assert.Equal(pod, start.Attributes["vks.machine.id"]);
        Assert.Contains(Below(start), name => name.StartsWith("qmp ", StringComparison.Ordinal));
        Assert.Contains(Below(start), name => name.StartsWith("stage ", StringComparison.Ordinal));
        TraceSpan create = spans.Single(span => span.Name == "runtime.v1.RuntimeService/CreateContainer");
        Assert.Contains("qmp device_add", Below(create));
        Assert.Contains("agent container.create", Below(create));
        Assert.Contains("agent container.start", Below(spans.Single(span => span.Name == "runtime.v1.RuntimeService/StartContainer")));

        // Following a container is nobody's call: it would be a span as long as the container's life.
        Assert.DoesNotContain(spans, span => span.Name == "agent container.wait");
        Assert.True(spans.Single(span => span.Name.EndsWith("/ContainerStatus", StringComparison.Ordinal)).HasStatus);
        Assert.False(run.HasStatus);
        Assert.DoesNotContain(spans, span => span.Name.EndsWith("/Version", StringComparison.Ordinal) || span.Name.EndsWith("/Status", StringComparison.Ordinal));

        IEnumerable<string> Below(TraceSpan parent) => spans.Where(span => span.ParentId == parent.Id).Select(span => span.Name).Order(StringComparer.Ordinal);

        static Metadata TraceParent(string flags) => new() { { "traceparent", $"00-{Trace}-{Kubelet}-{flags}" } };
    }

    private static Dictionary<string, double> Parse(string text) => Line().Matches(text)
        .ToDictionary(match => match.Groups["name"].Value, match => double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    [GeneratedRegex(@"^(?<name>[a-z_]+(\{[^}]*\})?) (?<value>[0-9.eE+-]+)", RegexOptions.Multiline)]
    private static partial Regex Line();
}
