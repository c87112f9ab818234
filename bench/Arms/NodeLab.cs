using CliWrap;
using CliWrap.Buffered;
using k8s;
using Vks.Bench.Sections;

namespace Vks.Bench.Arms;

/// <summary>A cluster of two nodes by the lab's scripts: one node with our daemon, one with containerd and runc. Disposing ends it.</summary>
internal sealed class NodeLab : IAsyncDisposable
{
    /// <summary>The node with our daemon.</summary>
    public const string OwnNode = "node-1";

    /// <summary>The node with containerd.</summary>
    public const string PeerNode = "node-2";

    /// <summary>Chooses the lab's addresses, beside a person's own lab and the tests'.</summary>
    private const string Number = "8";

    private readonly string _script;
    private readonly Dictionary<string, string?> _environment;

    private NodeLab(string script, string directory, SphereletFiles files)
    {
        (_script, Directory) = (script, directory);
        _environment = new()
        {
            ["VKS_LAB_NAME"] = "bench",
            ["VKS_LAB_NUMBER"] = Number,
            ["VKS_LAB_DIR"] = directory,
            ["VKS_LAB_CONTAINERD"] = PeerNode[^1..],
            ["VKS_SPHERELET"] = files.Program,
            ["VKS_GUEST_DIR"] = files.GuestDirectory,
        };
    }

    /// <summary>All files of the cluster.</summary>
    public string Directory { get; }

    /// <summary>What pods run.</summary>
    public string Image { get; } = $"10.201.{Number}.1:5000/vks/demo:latest";

    /// <summary>An administrator's client.</summary>
    public Kubernetes Client { get; private set; } = null!;

    /// <summary>Brings it up; what was begun is ended when it fails.</summary>
    /// <exception cref="BenchException">It does not come up.</exception>
    public static async Task<NodeLab> StartAsync(BenchContext context, CancellationToken cancellationToken)
    {
        if (context.LabScript is not { } script)
        {
            throw new BenchException("Pods through a kubelet need the lab's script: run the benchmark by ./vks bench, or name it with --lab.");
        }

        NodeLab lab = new(script, Path.Combine(context.Directory, "lab"), context.Files);
        try
        {
            await lab.RunAsync(["up", "2"], cancellationToken);
            await context.Registry.PushPauseAsync($"10.201.{Number}.1:5000/pause:latest", cancellationToken);
            lab.Client = new Kubernetes(await KubernetesClientConfiguration.BuildConfigFromConfigFileAsync(new FileInfo(Path.Combine(lab.Directory, "kubeconfig"))));
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        await RunAsync(["down"], CancellationToken.None);
    }

    private async Task RunAsync(string[] arguments, CancellationToken cancellationToken)
    {
        BufferedCommandResult ended = await Cli.Wrap(_script).WithArguments(arguments).WithEnvironmentVariables(_environment)
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        if (!ended.IsSuccess)
        {
            throw new BenchException($"{_script} {string.Join(' ', arguments)} ended with {ended.ExitCode}: {ended.StandardError.Trim()}");
        }
    }
}
