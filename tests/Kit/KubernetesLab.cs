using System.Diagnostics;
using System.Globalization;
using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>
/// A Kubernetes cluster of two nodes on this machine, made and ended by the lab's own scripts: upstream's control plane, kubelets and
/// kube-proxies, each node a host with a Spherelet of its own. Shared by the tests that need a kubelet; taken down with proof that nothing is left.
/// </summary>
public class KubernetesLab : IAsyncLifetime
{
    private static readonly string[] s_settings = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"];

    private readonly string _number;
    private readonly string[] _up;
    private string _kubectl = "";
    private string[] _before = [];

    /// <summary>The lab of two nodes.</summary>
    public KubernetesLab()
        : this("9", "2")
    {
    }

    /// <summary>Another lab.</summary>
    /// <param name="number">One digit that chooses its addresses; a person's own lab has 0.</param>
    /// <param name="up">What <c>up</c> is told.</param>
    protected KubernetesLab(string number, params string[] up)
    {
        _number = number;
        _up = up;
        Name = string.Create(CultureInfo.InvariantCulture, $"t{Random.Shared.Next() & 0xffffff:x6}");
        Directory = $"/tmp/vks-test-{Name}";
        Image = $"10.201.{number}.1:5000/vks/demo:latest";
    }

    /// <summary>The demo image in the lab's registry.</summary>
    internal string Image { get; }

    /// <summary>The nodes.</summary>
    internal static IReadOnlyList<string> Nodes { get; } = ["node-1", "node-2"];

    /// <summary>The lab's own name.</summary>
    internal string Name { get; }

    /// <summary>All files of the lab.</summary>
    internal string Directory { get; }

    /// <summary>Nothing yet: the cluster comes with the first namespace, so that runs without these tests have none.</summary>
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Brings it up, once.</summary>
    internal async Task UpAsync()
    {
        if (_kubectl.Length > 0)
        {
            return;
        }

        _before = Settings();
        BufferedCommandResult up = await LabAsync(TimeSpan.FromMinutes(25), ["up", .. _up]);
        Assert.True(up.ExitCode == 0, $"lab.sh up ended with {up.ExitCode}:\n{up.StandardError}\n{Logs()}");
        string settings = await File.ReadAllTextAsync(Path.Combine(Directory, "settings"));
        _kubectl = Path.Combine(settings.Split('\n').Single(line => line.StartsWith("kube=", StringComparison.Ordinal))["kube=".Length..].Trim('\''), "kubectl");
    }

    /// <summary>Runs kubectl; the test fails when it does.</summary>
    internal async Task<string> KubectlAsync(params string[] arguments)
    {
        BufferedCommandResult result = await TryKubectlAsync(null, arguments);
        Assert.True(result.ExitCode == 0, $"kubectl {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}{result.StandardOutput}");
        return result.StandardOutput;
    }

    /// <summary>Runs kubectl, whatever comes of it.</summary>
    /// <param name="input">Its standard input, or null.</param>
    /// <param name="arguments">Its arguments.</param>
    internal async Task<BufferedCommandResult> TryKubectlAsync(string? input, params string[] arguments)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(120));
        return await Prepare(arguments).WithStandardInputPipe(input is null ? PipeSource.Null : PipeSource.FromString(input)).ExecuteBufferedAsync(deadline.Token);
    }

    /// <summary>A kubectl that the test runs by itself.</summary>
    internal Command Prepare(params string[] arguments) =>
        Cli.Wrap(_kubectl).WithArguments(["--kubeconfig", Path.Combine(Directory, "kubeconfig"), .. arguments]).WithValidation(CommandResultValidation.None);

    /// <summary>A namespace for one test.</summary>
    internal async Task<KubernetesNamespace> NewNamespaceAsync()
    {
        await UpAsync();
        string name = string.Create(CultureInfo.InvariantCulture, $"t-{Random.Shared.Next():x8}");
        await KubectlAsync("create", "namespace", name);
        var made = new KubernetesNamespace(this, name);
        await made.WaitAsync("serviceaccount/default", ".metadata.name", "default", TimeSpan.FromSeconds(30));
        return made;
    }

    /// <summary>Runs a program on a node, or in <c>control</c>.</summary>
    internal async Task<string> OnHostAsync(string host, params string[] command)
    {
        BufferedCommandResult result = await Cli.Wrap("nsenter")
            .WithArguments(["--target", (await File.ReadAllTextAsync(Path.Combine(Directory, host, "host.pid"))).Trim(), "--mount", "--uts", "--net", "--pid", "--wd=/", "--", .. command])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(TestContext.Current.CancellationToken);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', command)} on {host} ended with {result.ExitCode}: {result.StandardError}{result.StandardOutput}");
        return result.StandardOutput;
    }

    /// <summary>Kills a program of a host as nobody should, and starts it again.</summary>
    internal async Task KillAndStartAsync(string host, string part)
    {
        string pid = (await File.ReadAllTextAsync(Path.Combine(Directory, host, part + ".pid"))).Trim();
        await OnHostAsync(host, "sh", "-c", $"kill -KILL {pid}; timeout 20 tail --pid={pid} -s 0.1 -f /dev/null");
        BufferedCommandResult start = await LabAsync(TimeSpan.FromSeconds(60), "start", host, part);
        Assert.True(start.ExitCode == 0, start.StandardError);
    }

    /// <summary>The end of every log, for a test that fails.</summary>
    internal string Logs()
    {
        var text = new StringBuilder();
        foreach (string log in System.IO.Directory.Exists(Directory) ? System.IO.Directory.GetFiles(Directory, "*.log", SearchOption.AllDirectories).Where(file => file.Split('/').Length == 5) : [])
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"---- {log}").AppendJoin('\n', File.ReadLines(log).TakeLast(log.Contains("spherelet", StringComparison.Ordinal) ? 40 : 12)).AppendLine();
        }

        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_before.Length == 0)
        {
            return;
        }

        BufferedCommandResult down = await LabAsync(TimeSpan.FromMinutes(3), "down");
        Assert.True(down.ExitCode == 0, $"lab.sh down ended with {down.ExitCode}:\n{down.StandardError}");
        Assert.False(System.IO.Directory.Exists(Directory), $"{Directory} is left");
        Assert.False(System.IO.Directory.Exists($"/sys/class/net/vks-{Name}"), $"link vks-{Name} is left");
        Assert.Empty(System.IO.Directory.GetDirectories("/sys/fs/cgroup", $"vks-{Name}", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }));
        Assert.DoesNotContain(System.IO.Directory.GetDirectories("/proc").Select(CommandLine), line => line.Contains(Directory, StringComparison.Ordinal));
        Assert.DoesNotContain(await File.ReadAllLinesAsync("/proc/self/mountinfo"), line => line.Contains(Directory, StringComparison.Ordinal));

        // Other tests' networks turn forwarding on for themselves.
        Assert.Equal(_before[..^1], Settings()[..^1]);
    }

    private static string[] Settings() => [.. s_settings.Select(name => File.ReadAllText(Path.Combine("/proc/sys", name)).Trim())];

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

    /// <summary>Runs a verb of the lab, whatever comes of it.</summary>
    internal async Task<BufferedCommandResult> LabAsync(TimeSpan limit, params string[] arguments)
    {
        using var deadline = new CancellationTokenSource(limit);
        return await Cli.Wrap(RepositoryRoot.Combine("lab", "lab.sh")).WithArguments(arguments)
            .WithEnvironmentVariables(new Dictionary<string, string?>
            {
                ["VKS_LAB_NAME"] = Name, ["VKS_LAB_NUMBER"] = _number, ["VKS_LAB_DIR"] = Directory, ["VKS_LAB_DISK_MIB"] = "3072",
                ["VKS_SPHERELET"] = SphereletProcess.Binary, ["VKS_SUPERVISOR"] = SupervisorProcess.Binary, ["VKS_GUEST_DIR"] = SphereletProcess.GuestDirectory,
            })
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(deadline.Token);
    }
}

/// <summary>A namespace of one test. Its end waits until all that was in it is gone, which proves that nothing is stuck.</summary>
internal sealed class KubernetesNamespace(KubernetesLab lab, string name) : IAsyncDisposable
{
    private static readonly TimeSpan s_usual = TimeSpan.FromSeconds(60);

    public string Name => name;

    /// <summary>Makes what a manifest says; <c>IMAGE</c> in it stands for the demo image.</summary>
    public async Task ApplyAsync(string manifest)
    {
        BufferedCommandResult applied = await lab.TryKubectlAsync(manifest.Replace("IMAGE", lab.Image, StringComparison.Ordinal), "-n", name, "apply", "-f", "-");
        Assert.True(applied.ExitCode == 0, applied.StandardError + manifest);
    }

    /// <summary>A pod of one container.</summary>
    /// <param name="pod">Its name.</param>
    /// <param name="command">What its shell runs.</param>
    /// <param name="spec">More of the pod's spec, as lines of flow YAML: <c>restartPolicy: Never</c>.</param>
    /// <param name="container">More of the container, as flow YAML members: <c>, stdin: true</c>.</param>
    public Task PodAsync(string pod, string command, string spec = "", string container = "") => ApplyAsync($$"""
        apiVersion: v1
        kind: Pod
        metadata: { name: {{pod}}, labels: { app: {{pod}} } }
        spec:
          terminationGracePeriodSeconds: 2
          {{spec.ReplaceLineEndings("\n  ")}}
          containers:
          - { name: c, image: IMAGE, command: [sh, -c, {{System.Text.Json.JsonSerializer.Serialize(command)}}]{{container}} }
        """);

    /// <summary>kubectl in this namespace.</summary>
    public Task<string> KubectlAsync(params string[] arguments) => lab.KubectlAsync(["-n", name, .. arguments]);

    /// <summary>Runs a shell command in a pod.</summary>
    public Task<string> ExecAsync(string pod, string command) => KubectlAsync("exec", pod, "--", "sh", "-c", command);

    /// <summary>One field of an object, or empty.</summary>
    public async Task<string> FieldAsync(string subject, string path) =>
        (await lab.TryKubectlAsync(null, "-n", name, "get", subject, "-o", $"jsonpath={{{path}}}")).StandardOutput;

    /// <summary>Waits until a field has a value.</summary>
    public async Task WaitAsync(string subject, string path, string value, TimeSpan? limit = null)
    {
        string last = "";
        await UntilAsync(
            async () => (last = await FieldAsync(subject, path)) == value, limit ?? s_usual, () => $"{subject} {path} is '{last}' and not '{value}'", TestContext.Current.CancellationToken);
    }

    /// <summary>Waits until pods are Ready.</summary>
    public async Task ReadyAsync(params string[] pods)
    {
        foreach (string pod in pods)
        {
            await WaitAsync($"pod/{pod}", ".status.conditions[?(@.type==\"Ready\")].status", "True");
        }
    }

    /// <summary>A page through <c>kubectl port-forward</c>.</summary>
    /// <param name="subject">As kubectl takes it: <c>pod/web</c>, <c>service/web</c>.</param>
    /// <param name="port">Its port.</param>
    /// <param name="path">Of the page.</param>
    public async Task<string> ForwardedAsync(string subject, int port, string path)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var local = new TaskCompletionSource<string>();
        Task forwarding = lab.Prepare("-n", name, "port-forward", subject, string.Create(CultureInfo.InvariantCulture, $":{port}"))
            .WithStandardOutputPipe(PipeTarget.ToDelegate(line =>
            {
                if (line.StartsWith("Forwarding from 127.0.0.1:", StringComparison.Ordinal))
                {
                    local.TrySetResult(line.Split(':')[1].Split(' ')[0]);
                }
            })).ExecuteAsync(ended.Token).Task;
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        string page = await http.GetStringAsync($"http://127.0.0.1:{await local.Task.WaitAsync(TimeSpan.FromSeconds(20), ended.Token)}{path}", ended.Token);
        await ended.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => forwarding);
        return page;
    }

    /// <summary>Waits until a pod's log has a text, and gives the log.</summary>
    public async Task<string> LogAsync(string pod, string text)
    {
        string log = "";
        await UntilAsync(
            async () => (log = (await lab.TryKubectlAsync(null, "-n", name, "logs", pod)).StandardOutput).Contains(text, StringComparison.Ordinal),
            s_usual, () => $"the log of {pod} has no '{text}': {log}", TestContext.Current.CancellationToken);
        return log;
    }

    /// <summary>Waits until an event of a pod has a text.</summary>
    public async Task EventAsync(string pod, string text)
    {
        string events = "";
        await UntilAsync(
            async () => (events = (await lab.TryKubectlAsync(null, "-n", name, "get", "events", "--field-selector", $"involvedObject.name={pod}", "-o", "jsonpath={.items[*].message}")).StandardOutput)
                .Contains(text, StringComparison.Ordinal),
            s_usual, () => $"no event of {pod} has '{text}': {events}", TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await lab.TryKubectlAsync(null, "delete", "namespace", name, "--wait=false");
        await UntilAsync(
            async () => (await lab.TryKubectlAsync(null, "get", "namespace", name)).ExitCode != 0, TimeSpan.FromSeconds(90), () => $"namespace {name} is not gone", CancellationToken.None);
    }

    private async Task UntilAsync(Func<Task<bool>> condition, TimeSpan limit, Func<string> what, CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(begin) > limit)
            {
                string objects = (await lab.TryKubectlAsync(null, "-n", name, "get", "pods,events", "-o", "wide")).StandardOutput;
                Assert.Fail($"Not within {limit.TotalSeconds:0} s: {what()}\n{objects}\n{lab.Logs()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
        }
    }
}
