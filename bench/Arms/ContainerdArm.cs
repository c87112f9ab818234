using System.Net.Sockets;
using CliWrap;
using Tmds.Linux;
using Vks.Bench.Host;

namespace Vks.Bench.Arms;

/// <summary>The peer: Debian's containerd with runc, with folders, configuration and network of its own, as far as it lets itself be separated.</summary>
internal sealed class ContainerdArm(string directory, CniNetwork network, string sandboxImage) : Arm("containerd", "containerd + runc", directory, network)
{
    /// <summary>containerd's shims put their sockets here whatever the state directory is.</summary>
    private const string ShimSocketFolder = "/run/containerd/s";

    /// <summary>Where they and runc keep what is theirs.</summary>
    private const string SharedFolder = "/run/containerd";

    /// <summary>Folders that are empty without pods.</summary>
    private static readonly string[] s_podFolders =
        ["state/io.containerd.runtime.v2.task/k8s.io", "state/io.containerd.grpc.v1.cri/sandboxes", "root/io.containerd.grpc.v1.cri/sandboxes"];

    private readonly bool _hadSharedFolder = System.IO.Directory.Exists(SharedFolder);

    /// <inheritdoc/>
    public override bool IsOurs => false;

    /// <inheritdoc/>
    protected override string SocketPath => Path.Combine(Directory, "c.sock");

    /// <inheritdoc/>
    public override IReadOnlyList<int> ManagementProcesses(ProcessTable table) => [DaemonPid, .. Shims(table)];

    /// <inheritdoc/>
    public override IReadOnlyList<int> PodProcesses(ProcessTable table) => [.. Shims(table).SelectMany(shim => table.WithDescendants(shim))];

    /// <inheritdoc/>
    public override Footprint TakeFootprint() => Footprint.Take(new FootprintScope
    {
        DaemonPid = DaemonPid,
        PodIds = PodIds,
        Bridge = Network.Bridge,
        CommandMark = Directory + "/",
        NetnsNames = [.. Names("/run/netns").Where(static name => name.StartsWith("cni-", StringComparison.Ordinal))],
        PathMark = Directory + "/",
        SocketMark = ShimSocketFolder + "/",
        FileFolders = [.. s_podFolders.Select(folder => Path.Combine(Directory, folder))],
    });

    /// <inheritdoc/>
    protected override async Task<Service> LaunchAsync(CancellationToken cancellationToken)
    {
        _ = Service.Find("runc", "runc");
        string config = Path.Combine(Directory, "config.toml");
        await File.WriteAllTextAsync(config, $"""
            version = 2
            root = "{Directory}/root"
            state = "{Directory}/state"
            oom_score = 0
            disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.snapshotter.v1.aufs",
              "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
            [grpc]
              address = "{SocketPath}"
            [ttrpc]
              address = "{Directory}/t.sock"
            [plugins."io.containerd.grpc.v1.cri"]
              sandbox_image = "{sandboxImage}"
              restrict_oom_score_adj = true
              stream_server_address = "127.0.0.1"
              stream_server_port = "0"
              [plugins."io.containerd.grpc.v1.cri".cni]
                bin_dir = "{CniNetwork.PluginDirectory}"
                conf_dir = "{Network.ConfigDirectory}"
              [plugins."io.containerd.grpc.v1.cri".containerd]
                snapshotter = "overlayfs"
                default_runtime_name = "runc"
                [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
                  runtime_type = "io.containerd.runc.v2"
            """, cancellationToken);
        return await Service.StartAsync(
            Service.Find("containerd", "containerd"), ["--config", config, "--log-level", "error"], new UnixDomainSocketEndPoint(SocketPath), cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task CleanAsync()
    {
        foreach (int pid in Shims(ProcessTable.Read()))
        {
            _ = LibC.kill(pid, LibC.SIGKILL);
        }

        string[] mounts = [.. (await File.ReadAllLinesAsync("/proc/self/mountinfo")).Select(static line => line.Split(' ')[4])
            .Where(path => path.StartsWith(Directory + "/", StringComparison.Ordinal)).Reverse()];
        foreach (string mount in mounts)
        {
            await Cli.Wrap("umount").WithArguments(["--lazy", mount]).WithValidation(CommandResultValidation.None).ExecuteAsync();
        }

        if (!_hadSharedFolder && System.IO.Directory.Exists(SharedFolder)
            && !System.IO.Directory.EnumerateFiles(SharedFolder, "*", SearchOption.AllDirectories).Any())
        {
            System.IO.Directory.Delete(SharedFolder, recursive: true);
        }
    }

    private int[] Shims(ProcessTable table) =>
        table.Where(process => process.CommandLine.Contains("containerd-shim", StringComparison.Ordinal) && process.CommandLine.Contains(SocketPath, StringComparison.Ordinal));

    private static IEnumerable<string> Names(string folder) =>
        System.IO.Directory.Exists(folder) ? System.IO.Directory.EnumerateFileSystemEntries(folder).Select(static path => Path.GetFileName(path)) : [];
}
