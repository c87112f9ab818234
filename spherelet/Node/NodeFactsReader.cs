using System.Security.Cryptography;
using Vks.Runtime.Machines;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Node;

/// <summary>Reads <see cref="NodeFacts"/> from the host. Changes nothing, save that the accelerator probe boots a guest once per host boot.</summary>
internal sealed class NodeFactsReader(SphereletOptions options, IPodNetwork network, CniConfigurationSource networkSource, CrxEngine engine)
{
    private static readonly string[] s_guestFiles = ["vmlinux", "initramfs.cpio"];

    private static readonly TimeSpan s_toolTimeout = TimeSpan.FromSeconds(15);

    /// <summary>All facts.</summary>
    public async Task<NodeFacts> ReadAsync(CancellationToken cancellationToken)
    {
        (bool? isKvm, string reason) = await ProbeAsync(cancellationToken);
        string? version = await OutputAsync(options.Qemu, ["--version"], cancellationToken);
        string machines = version is null ? "" : await OutputAsync(options.Qemu, ["-M", "help"], cancellationToken) ?? "";
        string? policy = await OutputAsync("iptables", ["-w", "5", "-S", "FORWARD"], cancellationToken);
        NetworkCondition condition = await network.GetConditionAsync(cancellationToken);
        (int cgroupVersion, IReadOnlyList<string> controllers) = Cgroups("/sys/fs/cgroup");
        return new NodeFacts
        {
            IsRoot = Environment.IsPrivilegedProcess,
            IsKvm = isKvm,
            AcceleratorReason = reason,
            QemuProgram = options.Qemu,
            QemuVersion = version?.Split('\n')[0].Trim(),
            QemuHasMicrovm = machines.Split('\n').Any(static line => line.StartsWith("microvm", StringComparison.Ordinal)),
            GuestDirectory = options.GuestDirectory,
            GuestFiles = await GuestFilesAsync(cancellationToken),
            NetworkProblem = condition.IsReady ? null : condition.Message,
            NetworkSource = networkSource.FindHostPath() ?? $"{networkSource.OwnPath} (the host has none in {options.CniConfigDirectory})",
            ForwardsIpv4 = ReadOrEmpty("/proc/sys/net/ipv4/ip_forward").Trim() == "1",
            ForwardPolicy = policy?.Split('\n')[0].Split(' ') is ["-P", "FORWARD", var word] ? word.Trim() : null,
            RootDirectory = options.RootDirectory,
            FreeMiB = FreeMiB(options.RootDirectory),
            CgroupVersion = cgroupVersion,
            CgroupControllers = controllers,
            SocketPath = options.SocketPath,
            SocketAnswers = await DaemonSocket.AnswersAsync(options.SocketPath, cancellationToken),
            MissingPrograms = [.. NodeChecks.Programs.Where(static program => !IsOnPath(program.Name))],
            HasTun = OpensTun(),
            FirstUserId = options.FirstUserId,
            UserIdClashes = [.. UserIdRanges.Clashes(options.FirstUserId, ReadOrEmpty("/etc/passwd"), ReadOrEmpty("/etc/subuid"))],
        };
    }

    private async Task<(bool? IsKvm, string Reason)> ProbeAsync(CancellationToken cancellationToken)
    {
        try
        {
            AcceleratorReport report = await engine.GetAcceleratorAsync(cancellationToken);
            return (report.IsKvm, report.Reason);
        }
        catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, problem.Message);
        }
    }

    private async Task<IReadOnlyList<GuestFileFact>> GuestFilesAsync(CancellationToken cancellationToken)
    {
        Dictionary<string, string> expected = GuestArtifacts.Read(ReadOrEmpty(Path.Combine(options.GuestDirectory, "artifacts.json")));
        List<GuestFileFact> facts = [];
        foreach (string name in s_guestFiles)
        {
            string? actual = await HashAsync(Path.Combine(options.GuestDirectory, name), cancellationToken);
            facts.Add(new GuestFileFact(name, actual is not null, expected.GetValueOrDefault(name), actual));
        }

        return facts;
    }

    private static async Task<string?> HashAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await using FileStream file = File.OpenRead(path);
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static async Task<string?> OutputAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(s_toolTimeout);
        try
        {
            HostToolResult ended = await HostTool.RunAsync(program, arguments, package: "", deadline.Token);
            return ended.ExitCode == 0 ? ended.Text : null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static (int Version, IReadOnlyList<string> Controllers) Cgroups(string root)
    {
        string unified = Path.Combine(root, "cgroup.controllers");
        if (File.Exists(unified))
        {
            return (2, IsWritable(Path.Combine(root, "cgroup.subtree_control")) ? ReadOrEmpty(unified).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries) : []);
        }

        string[] legacy = [.. NodeChecks.Controllers.Where(name => IsWritable(Path.Combine(root, name, "cgroup.procs")))];
        return (Directory.Exists(root) && Directory.EnumerateFileSystemEntries(root).Any() ? 1 : 0, legacy);
    }

    private static bool IsWritable(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            return true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool OpensTun()
    {
        try
        {
            using FileStream file = new("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            return true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(directory => directory.Length > 0 && File.Exists(Path.Combine(directory, program)));

    private static long? FreeMiB(string directory)
    {
        string? present = directory;
        while (present is not null && !Directory.Exists(present))
        {
            present = Path.GetDirectoryName(present);
        }

        try
        {
            return present is null ? null : new DriveInfo(present).AvailableFreeSpace >> 20;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
