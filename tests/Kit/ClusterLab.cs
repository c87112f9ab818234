using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using CliWrap;
using CliWrap.Buffered;
using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Tests.Kit;

/// <summary>
/// Upstream's etcd, kube-apiserver, kube-controller-manager and kube-scheduler on 127.0.0.1 with ports and certificates of their own, and a Supervisor as
/// a process. Nodes are objects only; what their kubelets would say of pods is said by the lab. Begins with the first test that asks for it.
/// </summary>
public sealed class ClusterLab : IAsyncLifetime
{
    private static readonly TimeSpan s_usual = TimeSpan.FromSeconds(60);

    private readonly List<LabProcess> _parts = [];
    private readonly CancellationTokenSource _end = new();
    private LabPki? _pki;
    private int _port;
    private string _programs = "";
    private Task? _up;
    private Task _kubelets = Task.CompletedTask;

    /// <summary>All files of the lab.</summary>
    internal string Folder { get; } = Path.Combine("/tmp", string.Create(CultureInfo.InvariantCulture, $"vks-test-{Random.Shared.Next():x8}"));

    /// <summary>Where the Supervisor serves kube-scheduler and kube-apiserver.</summary>
    internal string ServiceAddress { get; } = $"127.0.0.1:{FreePort()}";

    /// <summary>The API server's admin.</summary>
    internal ApiClient Api { get; private set; } = null!;

    /// <summary>The Supervisor that works for most tests; null while a test runs its own.</summary>
    internal LabProcess? Supervisor { get; private set; }

    /// <summary>Kubeconfig of an admin.</summary>
    internal string AdminConfig { get; private set; } = "";

    /// <summary>Kubeconfig of the user vks-supervisor, who has the rights of the manifest and no others.</summary>
    internal string SupervisorConfig { get; private set; } = "";

    /// <summary>Minor version of Kubernetes.</summary>
    internal int Minor { get; private set; }

    /// <summary>The API server's address.</summary>
    internal Uri Server => new($"https://127.0.0.1:{_port}/");

    /// <summary>Nothing yet: runs without these tests have no cluster.</summary>
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Starts everything, once: six hosts in three zones, and the Supervisor's kinds, admission and scheduler.</summary>
    internal async Task UpAsync()
    {
        await (_up ??= StartAsync());
        if (Supervisor is null or { HasEnded: true })
        {
            await StartSupervisorAsync();
        }
    }

    private async Task StartAsync()
    {
        Directory.CreateDirectory(Folder);
        _programs = await KubernetesPrograms.FolderAsync();
        _port = FreePort();
        _pki = new LabPki(Folder);
        (string Name, string Subject)[] clients =
        [
            ("admin", "O=system:masters, CN=admin"), ("controller-manager", "CN=system:kube-controller-manager"), ("scheduler", "CN=system:kube-scheduler"), ("vks-supervisor", "CN=vks-supervisor"),
        ];
        foreach ((string name, string subject) in clients)
        {
            _pki.Issue(name, subject);
            _pki.Kubeconfig(name, _port);
        }

        AdminConfig = _pki.PathOf("admin.kubeconfig");
        SupervisorConfig = _pki.PathOf("vks-supervisor.kubeconfig");
        await StartControlPlaneAsync();
        await MakeNodesAsync();
        _kubelets = PlayKubeletsAsync();
        await RunVerbAsync("install", "--kubeconfig", AdminConfig);
        string config = _pki.PathOf("kube-scheduler.yaml");
        await RunVerbAsync(
            "scheduler-config", "--certificates", Folder + "/placement", "--output", config, "--scheduler-kubeconfig", _pki.PathOf("scheduler.kubeconfig"),
            "--kubernetes", await VersionAsync(), "--service-address", ServiceAddress, "--leader-elect=false");
        await RunVerbAsync("install", "--kubeconfig", AdminConfig, "--service-url", $"https://{ServiceAddress}", "--service-ca", Folder + "/placement/ca.crt");
        Start("kube-scheduler", ["--config", config, "--secure-port", "0", .. NoPlainPort]);
    }

    /// <summary>Starts a Supervisor and waits until it leads.</summary>
    internal async Task StartSupervisorAsync()
    {
        Supervisor = NewSupervisor("main", SupervisorConfig, ServiceAddress);
        await UntilAsync(() => Task.FromResult(Supervisor.Log.Contains("main leads", StringComparison.Ordinal)), () => "the Supervisor does not lead");
        await UntilAsync(() => Task.FromResult(CanConnect(ServiceAddress)), () => "the placement service does not listen");
    }

    /// <summary>Ends the Supervisor of the other tests, so that a test can run its own.</summary>
    internal async Task StopSupervisorAsync()
    {
        if (Supervisor is { } running)
        {
            Supervisor = null;
            await running.DisposeAsync();
        }
    }

    /// <summary>A Supervisor of a test's own.</summary>
    internal LabProcess NewSupervisor(string identity, string kubeconfig, string address, params IEnumerable<string> more) =>
        new(SupervisorProcess.Binary, ["run", "--kubeconfig", kubeconfig, "--identity", identity, "--service-address", address, "--certificates", Folder + "/placement", .. more]);

    /// <summary>Runs a verb of the Supervisor; the test fails when it does.</summary>
    internal async Task<string> RunVerbAsync(params string[] arguments)
    {
        BufferedCommandResult result = await TryVerbAsync(arguments);
        Assert.True(result.ExitCode == 0, $"supervisor {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}{result.StandardOutput}\n{Logs()}");
        return result.StandardOutput;
    }

    /// <summary>Runs a verb of the Supervisor, whatever comes of it.</summary>
    internal static async Task<BufferedCommandResult> TryVerbAsync(params string[] arguments) =>
        await Cli.Wrap(SupervisorProcess.Binary).WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(TestContext.Current.CancellationToken);

    /// <summary>Runs kubectl as admin; the test fails when it does.</summary>
    internal async Task<string> KubectlAsync(params string[] arguments)
    {
        BufferedCommandResult result = await TryKubectlAsync(null, arguments);
        Assert.True(result.ExitCode == 0, $"kubectl {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}{result.StandardOutput}\n{Logs()}");
        return result.StandardOutput;
    }

    /// <summary>Runs kubectl as admin, whatever comes of it.</summary>
    internal async Task<BufferedCommandResult> TryKubectlAsync(string? input, params string[] arguments) =>
        await Cli.Wrap(Path.Combine(_programs, "kubectl")).WithArguments(["--kubeconfig", AdminConfig, "--cache-dir", Folder + "/cache", .. arguments])
            .WithStandardInputPipe(input is null ? PipeSource.Null : PipeSource.FromString(input)).WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(TestContext.Current.CancellationToken);

    /// <summary>Makes what a manifest says; the test fails when the server refuses.</summary>
    /// <param name="manifest">YAML.</param>
    /// <param name="user">As whom; null for the admin.</param>
    internal async Task ApplyAsync(string manifest, string? user = null)
    {
        BufferedCommandResult result = await TryApplyAsync(manifest, user);
        Assert.True(result.ExitCode == 0, $"{result.StandardError}\n{manifest}\n{Logs()}");
    }

    /// <summary>Makes what a manifest says, whatever comes of it.</summary>
    internal Task<BufferedCommandResult> TryApplyAsync(string manifest, string? user = null) =>
        TryKubectlAsync($"---\n{manifest}", [.. user is null ? Array.Empty<string>() : ["--as", user, "--as-group", "system:authenticated"], .. user is null ? (string[])["apply", "-f", "-"] : ["create", "-f", "-"]]);

    /// <summary>One field of an object, or empty.</summary>
    internal async Task<string> FieldAsync(string subject, string path, string space = "default") =>
        (await TryKubectlAsync(null, "-n", space, "get", subject, "-o", $"jsonpath={{{path}}}")).StandardOutput;

    /// <summary>Waits until a field has a value.</summary>
    internal async Task WaitAsync(string subject, string path, string value, string space = "default")
    {
        string last = "";
        await UntilAsync(async () => (last = await FieldAsync(subject, path, space)) == value, () => $"{subject} {path} is '{last}' and not '{value}'");
    }

    /// <summary>Waits until a namespace is Running and Ready.</summary>
    internal Task ReadyAsync(string name) => WaitAsync($"supervisornamespace/{name}", ".status.conditions[?(@.type==\"Ready\")].status", "True");

    /// <summary>Waits until something holds.</summary>
    internal async Task UntilAsync(Func<Task<bool>> condition, Func<string> what, TimeSpan? limit = null)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(begin) > (limit ?? s_usual) || _parts.Exists(static part => part.HasEnded))
            {
                string objects = (await TryKubectlAsync(null, "get", "supervisornamespaces,hosts,az,pods,events", "-A")).StandardOutput;
                Assert.Fail($"Not within {(limit ?? s_usual).TotalSeconds:0} s: {what()}\n{objects}\n{Logs()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The ends of all logs.</summary>
    internal string Logs() => string.Concat(_parts.Select(part => part.Tail(8))) + Supervisor?.Tail();

    /// <summary>Changes a Node's own report.</summary>
    internal Task ReportNodeAsync(string name, string ready) => Api.SendAsync(
        HttpMethod.Put, $"api/v1/nodes/{name}/status", NodeObject(name, ready), TestContext.Current.CancellationToken);

    /// <summary>Makes a Node of the lab, which is in the zone of its number.</summary>
    internal async Task MakeNodeAsync(string name)
    {
        await Api.SendAsync(HttpMethod.Post, "api/v1/nodes", NodeObject(name, "True"), TestContext.Current.CancellationToken);
        await ReportNodeAsync(name, "True");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _kubelets;
        await StopSupervisorAsync();
        foreach (LabProcess part in Enumerable.Reverse(_parts))
        {
            await part.DisposeAsync();
        }

        Api?.Dispose();
        _pki?.Dispose();
        _end.Dispose();
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }

        Assert.DoesNotContain(Directory.GetDirectories("/proc").Select(CommandLine), line => line.Contains(Folder, StringComparison.Ordinal));
    }

    /// <summary>A port that nobody had a moment ago.</summary>
    internal static int FreePort()
    {
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        return ((IPEndPoint)free.LocalEndpoint).Port;
    }

    private async Task StartControlPlaneAsync()
    {
        (int clients, int peers) = (FreePort(), FreePort());
        string etcd = $"http://127.0.0.1:{clients}";
        _parts.Add(new LabProcess(
            "etcd", "--data-dir", Folder + "/etcd", "--unsafe-no-fsync", "--log-outputs", "stderr", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
            "--listen-peer-urls", $"http://127.0.0.1:{peers}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{peers}", "--initial-cluster", $"default=http://127.0.0.1:{peers}"));
        string keys = _pki!.PathOf("accounts.key");
        Start(
            "kube-apiserver", "--etcd-servers", etcd, "--cert-dir", Folder + "/apiserver", "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", _port.ToString(CultureInfo.InvariantCulture),
            "--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction", "--endpoint-reconciler-type", "none",
            "--client-ca-file", _pki.PathOf("ca.crt"), "--tls-cert-file", _pki.PathOf("apiserver.crt"), "--tls-private-key-file", _pki.PathOf("apiserver.key"),
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", keys, "--service-account-signing-key-file", keys);
        Api = ApiClient.Open(AdminConfig);
        await UntilAsync(async () => (await TryKubectlAsync(null, "get", "--raw", "/readyz")).StandardOutput == "ok", () => "kube-apiserver is not ready", TimeSpan.FromSeconds(90));

        Minor = int.Parse((await VersionAsync()).Split('.')[1], CultureInfo.InvariantCulture);

        // Nodes without kubelets send no heartbeats.
        Start("kube-controller-manager", [
            "--kubeconfig", _pki.PathOf("controller-manager.kubeconfig"), "--cert-dir", Folder + "/manager", "--leader-elect=false", "--use-service-account-credentials",
            "--root-ca-file", _pki.PathOf("ca.crt"), "--service-account-private-key-file", keys, "--secure-port", "0", "--node-monitor-grace-period", "10h",
            "--concurrent-resource-quota-syncs", "5", "--resource-quota-sync-period", "10s", .. NoPlainPort]);
    }

    private void Start(string program, params IEnumerable<string> arguments) => _parts.Add(new LabProcess(Path.Combine(_programs, program), arguments));

    // Up to 1.23 there is a port without TLS on all addresses, unless it is turned off; later the flag is unknown.
    private string[] NoPlainPort => Minor < 24 ? ["--port", "0"] : [];

    private async Task MakeNodesAsync()
    {
        foreach (int zone in (int[])[1, 2, 3])
        {
            await MakeNodeAsync($"host-{zone}a");
            await MakeNodeAsync($"host-{zone}b");
        }
    }

    private static JsonObject NodeObject(string name, string ready)
    {
        JsonObject amounts() => new() { ["cpu"] = "4", ["memory"] = "16Gi", ["pods"] = "110" };
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Node",
            ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { ["topology.kubernetes.io/zone"] = $"zone-{name[5]}", ["kubernetes.io/hostname"] = name } },
            ["status"] = new JsonObject
            {
                ["capacity"] = amounts(),
                ["allocatable"] = amounts(),
                ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = ready, ["reason"] = ready == "True" ? "KubeletReady" : "KubeletNotReady", ["message"] = "as the test says" }),
            },
        };
    }

    // What a kubelet does for the API: a bound pod runs, and one that is to be removed goes.
    private async Task PlayKubeletsAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                foreach (V1Pod pod in (await Api.ListAsync<V1Pod>(null, null, _end.Token)).Items.Where(pod => !string.IsNullOrEmpty(pod.Spec.NodeName)))
                {
                    ApiResource pods = ApiResource.For<V1Pod>();
                    if (pod.Metadata.DeletionTimestamp is not null)
                    {
                        await Api.SendAsync(HttpMethod.Delete, pods.Path(pod.Metadata.NamespaceProperty, pod.Metadata.Name) + "?gracePeriodSeconds=0", null, _end.Token);
                    }
                    else if (pod.Status.Phase == "Pending")
                    {
                        pod.Status.Phase = "Running";
                        await Api.ReplaceStatusAsync(pod, _end.Token);
                    }
                }

                await Task.Delay(TimeSpan.FromMilliseconds(200), _end.Token);
            }
            catch (ApiException)
            {
                // Gone or changed meanwhile; or a test has the server down.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task<string> VersionAsync() => ((string)(await Api.SendAsync(HttpMethod.Get, "version", null, TestContext.Current.CancellationToken))["gitVersion"]!).TrimStart('v');

    /// <summary>Whether somebody listens there.</summary>
    internal static bool CanConnect(string address)
    {
        using TcpClient client = new();
        try
        {
            client.Connect(IPEndPoint.Parse(address));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
