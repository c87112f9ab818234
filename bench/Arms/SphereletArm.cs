using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using Vks.Bench.Host;
using Vks.Bench.Results;
using Vks.Spherelet.Cri.V1;

namespace Vks.Bench.Arms;

/// <summary>A daemon of this project. Two of them differ by their flags alone.</summary>
internal sealed class SphereletArm(string name, string title, string directory, CniNetwork network, SphereletFiles files, IReadOnlyList<string> flags)
    : Arm(name, title, directory, network)
{
    /// <summary>A pool that has less room than this left is as full as it gets.</summary>
    private const int MemberMiB = 100;

    private static readonly TimeSpan s_refillPatience = TimeSpan.FromMinutes(1);

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

    /// <summary>Whether machines are started before their pods come.</summary>
    public bool HasPool => Name == ArmNames.Pool;

    /// <summary>Waits until as many machines are ready as the daemon wants.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>How long that took, ms, and what the machines have of the host's memory for themselves, MiB.</returns>
    /// <exception cref="TimeoutException">A minute was not enough.</exception>
    public async Task<(double Elapsed, double MemoryMiB)> WaitForPoolAsync(CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        while (true)
        {
            (bool isFull, double memory) = await ReadPoolAsync(cancellationToken);
            if (isFull)
            {
                return (Stopwatch.GetElapsedTime(begin).TotalMilliseconds, memory);
            }

            if (Stopwatch.GetElapsedTime(begin) > s_refillPatience)
            {
                throw new TimeoutException(FormattableString.Invariant($"The pool was not full again after {s_refillPatience.TotalSeconds} s."));
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
        }
    }

    private async Task<(bool IsFull, double MemoryMiB)> ReadPoolAsync(CancellationToken cancellationToken)
    {
        StatusResponse status = await Cri.Runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken: cancellationToken);
        using JsonDocument info = JsonDocument.Parse(status.Info["info"]);
        JsonElement pool = info.RootElement.GetProperty("pool");
        long used = pool.GetProperty("usedMiB").GetInt64();
        bool fits = used + MemberMiB < pool.GetProperty("budgetMiB").GetInt64();
        bool full = pool.GetProperty("machines").EnumerateArray().All(shelf => !fits || shelf.GetProperty("ready").GetInt32() >= shelf.GetProperty("wanted").GetInt32());
        return (full, used);
    }

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
