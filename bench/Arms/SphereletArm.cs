using System.Net.Sockets;
using CliWrap;
using CliWrap.Buffered;
using Vks.Bench.Host;

namespace Vks.Bench.Arms;

/// <summary>A daemon of this project. Two of them differ by their flags alone.</summary>
internal sealed class SphereletArm(string name, string title, string directory, CniNetwork network, SphereletFiles files, IReadOnlyList<string> flags)
    : Arm(name, title, directory, network)
{
    /// <summary>Folders that are empty without pods.</summary>
    private static readonly string[] s_podFolders = ["root/machines", "root/pods", "root/cni/pods", "run/machines"];

    /// <inheritdoc/>
    public override bool IsOurs => true;

    /// <inheritdoc/>
    protected override string SocketPath => Path.Combine(Directory, "run", "spherelet.sock");

    private string[] Roots =>
    [
        "--root-directory", Path.Combine(Directory, "root"), "--runtime-directory", Path.Combine(Directory, "run"), "--guest-directory", files.GuestDirectory,
        "--nri-socket", "", "--nri-plugin-directory", "",
    ];

    /// <summary>Whether the daemon has a setting, by its own help.</summary>
    /// <param name="program">The daemon's program.</param>
    /// <param name="setting">Flag with dashes.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public static async Task<bool> HasSettingAsync(string program, string setting, CancellationToken cancellationToken)
    {
        BufferedCommandResult help = await Cli.Wrap(program).WithArguments(["--help"]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        return help.StandardOutput.Contains(setting + " ", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<int> ManagementProcesses(ProcessTable table) => [DaemonPid];

    /// <inheritdoc/>
    public override IReadOnlyList<int> PodProcesses(ProcessTable table)
    {
        // A machine's QEMU is told by its name, which is its folder; templates have none of a pod's.
        IReadOnlySet<string> pods = PodIds;
        return table.Where(process => process.CommandLine.Contains(Directory + "/", StringComparison.Ordinal)
            && pods.Any(id => process.CommandLine.Contains(id, StringComparison.Ordinal)));
    }

    /// <inheritdoc/>
    public override Footprint TakeFootprint() => Footprint.Take(new FootprintScope
    {
        DaemonPid = DaemonPid,
        PodIds = PodIds,
        Bridge = Network.Bridge,
        CommandMark = Directory + "/",
        NetnsNames = [.. PodIds.Select(static id => "vks-" + id[..12])],
        PathMark = Directory + "/",
        SocketMark = Path.Combine(Directory, "run", "machines") + "/",
        FileFolders = [.. s_podFolders.Select(folder => Path.Combine(Directory, folder))],
    });

    /// <inheritdoc/>
    protected override Task<Service> LaunchAsync(CancellationToken cancellationToken) => Service.StartAsync(
        files.Program,
        ["serve", .. Roots, "--socket", SocketPath, "--cni-config-directory", Network.ConfigDirectory, "--log-level", "warning", .. flags],
        new UnixDomainSocketEndPoint(SocketPath),
        cancellationToken);

    /// <inheritdoc/>
    protected override async Task CleanAsync() =>
        await Cli.Wrap(files.Program).WithArguments(["drain", .. Roots, "--cni-config-directory", Network.ConfigDirectory])
            .WithValidation(CommandResultValidation.None).ExecuteAsync();
}

/// <summary>Where the parts of this project are.</summary>
/// <param name="Program">The daemon.</param>
/// <param name="GuestDirectory">Kernel and initial file system.</param>
internal sealed record SphereletFiles(string Program, string GuestDirectory)
{
    /// <summary>The guest's kernel.</summary>
    public string Kernel => Path.Combine(GuestDirectory, "vmlinux");

    /// <summary>The guest's initial file system, with the agent.</summary>
    public string Initramfs => Path.Combine(GuestDirectory, "initramfs.cpio");
}
