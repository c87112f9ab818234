using System.Globalization;
using CliWrap.Buffered;
using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>The life of pods as people see it with kubectl, by an upstream kubelet.</summary>
[Collection(KubernetesCollection.Name)]
public sealed class PodLifeTests(KubernetesLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Init_containers_hooks_probes_and_a_graceful_end()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: life }
            spec:
              terminationGracePeriodSeconds: 20
              volumes: [ { name: v, emptyDir: {} } ]
              initContainers:
              - { name: one, image: IMAGE, command: [sh, -c, "echo one >> /v/order"], volumeMounts: [ { name: v, mountPath: /v } ] }
              - { name: two, image: IMAGE, command: [sh, -c, "echo two >> /v/order"], volumeMounts: [ { name: v, mountPath: /v } ] }
              containers:
              - name: c
                image: IMAGE
                command: [sh, -c, "trap 'echo got TERM; exit 0' TERM; while :; do sleep 0.1; done"]
                lifecycle:
                  postStart: { exec: { command: [sh, -c, "echo started >> /v/order"] } }
                  preStop: { exec: { command: [sh, -c, "echo stopping > /proc/1/fd/1 || echo stopping >> /v/order"] } }
                startupProbe: { exec: { command: [grep, started, /v/order] }, periodSeconds: 1, failureThreshold: 30 }
                readinessProbe: { exec: { command: [test, -e, /v/ready] }, periodSeconds: 1 }
                volumeMounts: [ { name: v, mountPath: /v } ]
            """);
        await space.WaitAsync("pod/life", ".status.containerStatuses[0].started", "true");
        Assert.Equal("one\ntwo\nstarted\n", await space.ExecAsync("life", "cat /v/order"));
        Assert.Equal("False", await space.FieldAsync("pod/life", ".status.conditions[?(@.type==\"Ready\")].status"));

        await space.ExecAsync("life", "touch /v/ready");
        await space.ReadyAsync("life");
        Task<BufferedCommandResult> follow = lab.Prepare("-n", space.Name, "logs", "-f", "life").ExecuteBufferedAsync(Token).Task;
        await space.KubectlAsync("delete", "pod", "life");

        Assert.Contains("got TERM", (await follow.WaitAsync(TimeSpan.FromSeconds(30), Token)).StandardOutput, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Probes_by_HTTP_and_TCP_reach_the_guest_and_a_dead_container_is_restarted()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: web }
            spec:
              terminationGracePeriodSeconds: 0
              containers:
              - name: c
                image: IMAGE
                readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 }
                livenessProbe: { httpGet: { path: /, port: 80 }, periodSeconds: 1, failureThreshold: 2 }
            """);
        await space.ReadyAsync("web");
        string sandbox = await space.FieldAsync("pod/web", ".status.podIP");

        await space.ExecAsync("web", "kill $(pidof lighttpd)");
        await space.WaitAsync("pod/web", ".status.containerStatuses[0].restartCount", "1");
        await space.ReadyAsync("web");

        Assert.Equal(sandbox, await space.FieldAsync("pod/web", ".status.podIP"));
    }

    [Fact]
    public async Task A_container_is_restarted_as_the_policy_says_and_tells_how_it_ended()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await Task.WhenAll(
            space.PodAsync("never", "echo once; exit 3", "restartPolicy: Never"),
            space.PodAsync("onfailure", "echo again; exit 4", "restartPolicy: OnFailure"),
            space.PodAsync("done", "echo done", "restartPolicy: OnFailure"),
            space.PodAsync("hungry", "tail /dev/zero", "restartPolicy: Never", ", resources: { limits: { memory: 32Mi } }"));

        await space.WaitAsync("pod/never", ".status.phase", "Failed");
        await space.WaitAsync("pod/done", ".status.phase", "Succeeded");
        await space.WaitAsync("pod/onfailure", ".status.containerStatuses[0].restartCount", "1");
        await space.WaitAsync("pod/hungry", ".status.containerStatuses[0].state.terminated.reason", "OOMKilled");

        Assert.Equal("3", await space.FieldAsync("pod/never", ".status.containerStatuses[0].state.terminated.exitCode"));
        Assert.Equal("137", await space.FieldAsync("pod/hungry", ".status.containerStatuses[0].state.terminated.exitCode"));
        Assert.Equal("again\n", await space.KubectlAsync("logs", "onfailure", "--previous"));
        Assert.Equal("once\n", await space.KubectlAsync("logs", "never"));
    }

    [Fact]
    public async Task Exec_attach_cp_and_port_forward_work_as_people_type_them()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await Task.WhenAll(
            space.PodAsync("echo", "read line; echo got $line; sleep 1", "restartPolicy: Never", ", stdin: true"),
            space.ApplyAsync("""
                apiVersion: v1
                kind: Pod
                metadata: { name: web }
                spec: { terminationGracePeriodSeconds: 0, containers: [ { name: c, image: IMAGE, readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 } } ] }
                """));
        await space.ReadyAsync("echo", "web");

        BufferedCommandResult piped = await lab.TryKubectlAsync("through\n", "-n", space.Name, "exec", "-i", "web", "--", "sh", "-c", "cat; echo words >&2; exit 7");
        Assert.Equal(("through\n", 7), (piped.StandardOutput, piped.ExitCode));
        Assert.Contains("words", piped.StandardError, StringComparison.Ordinal);
        BufferedCommandResult attached = await lab.TryKubectlAsync("hello\n", "-n", space.Name, "attach", "-i", "echo");
        Assert.Contains("got hello", attached.StandardOutput, StringComparison.Ordinal);
        await space.WaitAsync("pod/echo", ".status.phase", "Succeeded");

        string file = Path.Combine(lab.Directory, "copied");
        byte[] bytes = new byte[300_000];
        Random.Shared.NextBytes(bytes);
        await File.WriteAllBytesAsync(file, bytes, Token);
        await space.KubectlAsync("cp", file, "web:/tmp/copied");
        await space.KubectlAsync("cp", "web:/tmp/copied", file + ".back");
        Assert.Equal(bytes, await File.ReadAllBytesAsync(file + ".back", Token));

        Assert.Contains("Hello from web", await space.ForwardedAsync("pod/web", 80, "/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_debug_container_joins_a_running_pod_and_sees_its_processes()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: { name: web }
            spec: { terminationGracePeriodSeconds: 0, containers: [ { name: c, image: IMAGE, readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 } } ] }
            """);
        await space.ReadyAsync("web");

        await space.KubectlAsync("debug", "web", "--image", lab.Image, "--target", "c", "--container", "look", "--", "sh", "-c", "sleep 1000");
        string state = "";
        await Eventually.TrueAsync(
            async () => (state = await space.FieldAsync("pod/web", ".status.ephemeralContainerStatuses[0].state")).Contains("running", StringComparison.Ordinal),
            TimeSpan.FromSeconds(60), () => state + lab.Logs(), Token);

        Assert.Contains("lighttpd", await space.KubectlAsync("exec", "web", "-c", "look", "--", "ps"), StringComparison.Ordinal);
        Assert.Contains("Hello from web", await space.KubectlAsync("exec", "web", "-c", "look", "--", "wget", "-qO-", "http://127.0.0.1/"), StringComparison.Ordinal);
        Assert.Equal("0", await space.FieldAsync("pod/web", ".status.containerStatuses[0].restartCount"));
    }

    [Fact]
    public async Task A_pod_is_in_a_machine_of_its_own_and_a_runtime_class_chooses_the_kind()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await Task.WhenAll(
            space.PodAsync("usual", "sleep 1000", "nodeName: node-1"), space.PodAsync("alone", "sleep 1000", "nodeName: node-1\nruntimeClassName: crx-isolated"));
        await space.ReadyAsync("usual", "alone");

        string[] boots = [await space.ExecAsync("usual", "cat /proc/sys/kernel/random/boot_id"), await space.ExecAsync("alone", "cat /proc/sys/kernel/random/boot_id")];
        string host = await File.ReadAllTextAsync("/proc/sys/kernel/random/boot_id", Token);
        Assert.Equal(3, boots.Append(host).Distinct().Count());
        Assert.Equal("usual\n", await space.ExecAsync("usual", "hostname"));
        Assert.Equal("96Mi", await space.FieldAsync("pod/alone", ".spec.overhead.memory"));
        Assert.NotEqual(Environment.OSVersion.Version.ToString(3), (await space.ExecAsync("usual", "uname -r")).Trim());
    }

    [Fact]
    public async Task The_kubelets_summary_has_figures_of_every_pod()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("busy", "while :; do :; done", "nodeName: node-2");
        await space.ReadyAsync("busy");

        string summary = "";
        await Eventually.TrueAsync(
            async () => (summary = await lab.KubectlAsync("get", "--raw", "/api/v1/nodes/node-2/proxy/stats/summary")) is var text
                && System.Text.Json.JsonDocument.Parse(text).RootElement.GetProperty("pods").EnumerateArray().Any(pod =>
                    pod.GetProperty("podRef").GetProperty("namespace").GetString() == space.Name
                    && pod.GetProperty("containers")[0].TryGetProperty("memory", out System.Text.Json.JsonElement memory)
                    && memory.TryGetProperty("workingSetBytes", out System.Text.Json.JsonElement bytes) && bytes.GetInt64() > 100_000),
            TimeSpan.FromSeconds(40), () => summary, Token);
    }

    [Fact]
    public async Task Top_shows_what_nodes_and_containers_use_to_those_who_may_see_it()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("busy", "while :; do :; done", "nodeName: node-2");
        await space.ReadyAsync("busy");

        string shown = "";
        await Eventually.TrueAsync(
            async () => (shown = (await lab.TryKubectlAsync(null, "-n", space.Name, "top", "pods", "--containers", "--no-headers", "-l", "app=busy")).StandardOutput) is { Length: > 0 } line
                && line.Trim().Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["busy", "c", var cpu, var memory]
                && int.Parse(cpu.TrimEnd('m'), CultureInfo.InvariantCulture) > 100 && memory.EndsWith("Mi", StringComparison.Ordinal),
            TimeSpan.FromSeconds(90), () => shown + lab.Logs(), Token);
        Assert.Equal(KubernetesLab.Nodes, (await lab.KubectlAsync("top", "nodes", "--no-headers")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
        Assert.Contains("forbidden", (await lab.TryKubectlAsync(null, "top", "nodes", "--as", "somebody")).StandardError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_pods_at_once_all_run_and_all_go_and_none_runs_twice()
    {
        const int Pods = 50;
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.ApplyAsync($$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: many }
            spec:
              replicas: {{Pods}}
              selector: { matchLabels: { app: many } }
              template:
                metadata: { labels: { app: many } }
                spec: { terminationGracePeriodSeconds: 1, containers: [ { name: c, image: IMAGE, command: [sleep, "1000"] } ] }
            """);
        await space.WaitAsync("deployment/many", ".status.readyReplicas", Pods.ToString(CultureInfo.InvariantCulture), TimeSpan.FromMinutes(5));

        string[] addresses = (await space.KubectlAsync("get", "pods", "-o", "jsonpath={.items[*].status.podIP}")).Split(' ');
        Assert.Equal(Pods, addresses.Distinct().Count());
        Assert.Equal(Pods, await MachinesAsync(space));
        await space.KubectlAsync("scale", "deployment/many", "--replicas=0");
        await Eventually.TrueAsync(async () => await MachinesAsync(space) == 0, TimeSpan.FromMinutes(3), lab.Logs, Token);
        await Eventually.TrueAsync(
            async () => (await space.KubectlAsync("get", "pods", "-o", "name")).Length == 0, TimeSpan.FromSeconds(30), lab.Logs, Token);
    }

    /// <summary>Sandboxes of the namespace that the nodes' Spherelets have.</summary>
    private async Task<int> MachinesAsync(KubernetesNamespace space)
    {
        var count = 0;
        foreach (string node in KubernetesLab.Nodes)
        {
            string found = await lab.OnHostAsync(node, "sh", "-c", $"grep -l '\"{space.Name}\"' /var/lib/vks/pods/*/pod.json 2>/dev/null | wc -l");
            count += int.Parse(found.Trim(), CultureInfo.InvariantCulture);
        }

        return count;
    }
}
