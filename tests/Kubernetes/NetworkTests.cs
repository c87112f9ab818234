using CliWrap.Buffered;
using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>The network of pods across nodes, with upstream's kube-proxy.</summary>
[Collection(KubernetesCollection.Name)]
public sealed class NetworkTests(KubernetesLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pods_reach_each_other_across_nodes_and_by_their_service()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await Task.WhenAll(Web("one", "node-1"), Web("two", "node-2"), space.PodAsync("client", "sleep 1000", "nodeName: node-1"));
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Service
            metadata: { name: web }
            spec: { selector: { role: web }, ports: [ { port: 8080, targetPort: 80 } ] }
            """);
        await space.ReadyAsync("one", "two", "client");
        await Eventually.TrueAsync(
            async () => (await space.FieldAsync("endpoints/web", ".subsets[0].addresses[*].ip")).Split(' ').Length == 2, TimeSpan.FromSeconds(30), lab.Logs, Token);
        string service = await space.FieldAsync("service/web", ".spec.clusterIP");

        foreach (string pod in new[] { "one", "two" })
        {
            string address = await space.FieldAsync($"pod/{pod}", ".status.podIP");
            Assert.Contains($"Hello from {pod}", await space.ExecAsync("client", $"wget -qO- http://{address}/"), StringComparison.Ordinal);
        }

        // The proxy chooses at random: both answer within few tries, and each pod also through the service it is part of.
        string answers = "";
        await Eventually.TrueAsync(
            async () => (answers += await space.ExecAsync("client", $"timeout 5 wget -qO- http://{service}:8080/ || true")) is { } all
                && all.Contains("from one", StringComparison.Ordinal) && all.Contains("from two", StringComparison.Ordinal),
            TimeSpan.FromSeconds(60), () => answers + lab.Logs(), Token);
        Assert.Contains("Hello from", await space.ExecAsync("two", $"timeout 5 wget -qO- http://{service}:8080/ || timeout 5 wget -qO- http://{service}:8080/"), StringComparison.Ordinal);

        Task Web(string name, string node) => space.ApplyAsync($$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: {{name}}, labels: { role: web } }
            spec: { nodeName: {{node}}, terminationGracePeriodSeconds: 0, containers: [ { name: c, image: IMAGE, readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 } } ] }
            """);
    }

    [Fact]
    public async Task A_Deployment_of_three_answers_by_its_Service_inside_and_through_port_forward()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: web }
            spec:
              replicas: 3
              selector: { matchLabels: { app: web } }
              template:
                metadata: { labels: { app: web } }
                spec: { terminationGracePeriodSeconds: 0, containers: [ { name: c, image: IMAGE, readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 } } ] }
            """);
        await space.KubectlAsync("expose", "deployment", "web", "--port", "80");
        await space.WaitAsync("deployment/web", ".status.readyReplicas", "3");
        string pod = (await space.FieldAsync("pods", ".items[0].metadata.name")).Trim();
        string service = await space.FieldAsync("service/web", ".spec.clusterIP");

        string answer = "";
        await Eventually.TrueAsync(
            async () => (answer = await space.ExecAsync(pod, $"timeout 5 wget -qO- http://{service}/ || true")).Contains("Hello from web-", StringComparison.Ordinal),
            TimeSpan.FromSeconds(30), () => answer + lab.Logs(), Token);
        Assert.Contains("Hello from web-", await space.ForwardedAsync("service/web", 80, "/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_reaches_what_is_outside_and_its_host_port_is_reached_from_there()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: web }
            spec: { nodeName: node-2, terminationGracePeriodSeconds: 0, containers: [ { name: c, image: IMAGE, ports: [ { containerPort: 80, hostPort: 8088 } ] } ] }
            """);
        await space.ReadyAsync("web");

        string registry = lab.Image.Split('/')[0];
        Assert.Equal("{}", (await space.ExecAsync("web", $"timeout 5 wget -qO- http://{registry}/v2/")).Trim());
        string node = await lab.KubectlAsync("get", "node", "node-2", "-o", "jsonpath={.status.addresses[?(@.type==\"InternalIP\")].address}");
        Assert.Contains("Hello from web", await lab.OnHostAsync("control", "curl", "-s", "-m", "10", $"http://{node}:8088/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_that_wants_the_hosts_network_is_refused_and_an_event_says_why()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("host", "sleep 1000", "hostNetwork: true");

        await space.EventAsync("host", "has a network stack of its own and cannot share the host's");
    }

    [Fact]
    public async Task A_node_whose_cable_is_cut_is_NotReady_and_its_pods_go_on_when_it_is_mended()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("stays", "i=0; while :; do i=$((i+1)); echo $i > /n; sleep 0.1; done", "nodeName: node-2");
        await space.ReadyAsync("stays");
        string started = await space.FieldAsync("pod/stays", ".status.containerStatuses[0].state.running.startedAt");

        await lab.OnHostAsync("node-2", "ip", "link", "set", "eth0", "down");
        await Task.Delay(TimeSpan.FromSeconds(3), Token);
        BufferedCommandResult cut = await lab.TryKubectlAsync(null, "-n", space.Name, "--request-timeout=5s", "exec", "stays", "--", "true");
        await lab.OnHostAsync("node-2", "sh", "-c", "ip link set eth0 up && ip route add default via 10.201.9.254 && ip route add 10.244.1.0/24 via 10.201.9.11");

        Assert.NotEqual(0, cut.ExitCode);
        int before = 0;
        await Eventually.TrueAsync(
            async () => int.TryParse((await lab.TryKubectlAsync(null, "-n", space.Name, "exec", "stays", "--", "cat", "/n")).StandardOutput.Trim(), out before),
            TimeSpan.FromSeconds(60), lab.Logs, Token);
        Assert.True(before > 20, $"it counted to {before} only");
        Assert.Equal(started, await space.FieldAsync("pod/stays", ".status.containerStatuses[0].state.running.startedAt"));
        Assert.Equal("0", await space.FieldAsync("pod/stays", ".status.containerStatuses[0].restartCount"));
    }
}
