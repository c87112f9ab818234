using System.Globalization;

namespace Vks.Spherelet.Node;

/// <summary>Decides from facts how fit a host is for pods. Pure.</summary>
internal static class NodeChecks
{
    /// <summary>Below this many MiB free no image fits.</summary>
    internal const long LeastFreeMiB = 512;

    /// <summary>Below this many MiB free it becomes tight soon.</summary>
    internal const long ComfortableFreeMiB = 4096;

    /// <summary>The Debian programs that pods need.</summary>
    internal static IReadOnlyList<HostProgram> Programs { get; } =
    [
        new("ip", "iproute2", "makes pod networks"),
        new("tc", "iproute2", "joins taps to pod networks"),
        new("iptables", "iptables", "masquerades what pods send out"),
        new("skopeo", "skopeo", "talks to registries"),
        new("tar2sqfs", "squashfs-tools-ng", "writes image disks"),
        new("mkfs.ext4", "e2fsprogs", "formats scratch disks"),
    ];

    /// <summary>The cgroup controllers that hold a machine to its limits.</summary>
    internal static IReadOnlyList<string> Controllers { get; } = ["cpu", "memory", "pids"];

    /// <summary>All checks, in the order a person mends them.</summary>
    public static IReadOnlyList<CheckResult> Evaluate(NodeFacts facts) =>
    [
        Privilege(facts), Accelerator(facts), Qemu(facts), Guest(facts), Tools(facts), Tun(facts), Network(facts), Forwarding(facts),
        Disk(facts), Cgroups(facts), UserIds(facts), Socket(facts),
    ];

    private static CheckResult Privilege(NodeFacts facts) => new(
        "privilege",
        facts.IsRoot ? CheckStatus.Ok : CheckStatus.Fail,
        facts.IsRoot ? "runs as root" : "does not run as root",
        "Run it as root: network namespaces, taps and cgroups need it. QEMU itself never runs as root.");

    private static CheckResult Accelerator(NodeFacts facts) => new(
        "accelerator",
        facts.IsKvm switch { true => CheckStatus.Ok, false => CheckStatus.Warn, null => CheckStatus.Fail },
        facts.IsKvm switch
        {
            true => $"KVM ({facts.AcceleratorReason})",
            false => $"TCG, software emulation ({facts.AcceleratorReason})",
            null => $"could not be probed: {facts.AcceleratorReason}",
        },
        "Turn on VT-x or AMD-V in the firmware, or nested virtualisation in the hypervisor below, and load kvm_intel or kvm_amd. Pods run without it, about ten times slower.");

    private static CheckResult Qemu(NodeFacts facts) => new(
        "qemu",
        facts is { QemuVersion: not null, QemuHasMicrovm: true } ? CheckStatus.Ok : CheckStatus.Fail,
        facts.QemuVersion is null
            ? $"{facts.QemuProgram} cannot be run"
            : $"{facts.QemuVersion}, machine microvm {(facts.QemuHasMicrovm ? "present" : "missing")}",
        "Install QEMU for x86 with the microvm machine (Debian: apt-get install qemu-system-x86), or name it with --qemu.");

    private static CheckResult Guest(NodeFacts facts)
    {
        List<string> faults =
        [
            .. facts.GuestFiles.Where(static file => !file.Exists).Select(static file => $"{file.Name} is missing"),
            .. facts.GuestFiles.Where(static file => file.Exists && file.ExpectedSha256 is not null && !file.ExpectedSha256.Equals(file.ActualSha256, StringComparison.OrdinalIgnoreCase))
                .Select(static file => $"{file.Name} differs from artifacts.json"),
        ];
        string[] unlisted = [.. facts.GuestFiles.Where(static file => file.Exists && file.ExpectedSha256 is null).Select(static file => file.Name)];
        CheckStatus status = faults.Count > 0 ? CheckStatus.Fail : unlisted.Length > 0 ? CheckStatus.Warn : CheckStatus.Ok;
        string found = status switch
        {
            CheckStatus.Fail => string.Join(", ", faults),
            CheckStatus.Warn => $"artifacts.json has no hash of {string.Join(", ", unlisted)}",
            _ => string.Join(", ", facts.GuestFiles.Select(static file => $"{file.Name} {file.ActualSha256?[..Math.Min(12, file.ActualSha256.Length)]}")),
        };
        return new CheckResult(
            "guest", status, $"{facts.GuestDirectory}: {found}", "Build kernel, agent and initramfs (images/build.sh guest, or ./vks up), or name their folder with --guest-directory.");
    }

    private static CheckResult Tools(NodeFacts facts) => new(
        "tools",
        facts.MissingPrograms.Count == 0 ? CheckStatus.Ok : CheckStatus.Fail,
        facts.MissingPrograms.Count == 0
            ? string.Join(", ", Programs.Select(static program => program.Name))
            : "missing: " + string.Join(", ", facts.MissingPrograms.Select(static program => $"{program.Name} ({program.Purpose})")),
        "apt-get install " + string.Join(' ', (facts.MissingPrograms.Count == 0 ? Programs : facts.MissingPrograms).Select(static program => program.Package).Distinct()));

    private static CheckResult Tun(NodeFacts facts) => new(
        "tun",
        facts.HasTun ? CheckStatus.Ok : CheckStatus.Fail,
        facts.HasTun ? "/dev/net/tun opens" : "/dev/net/tun is missing or cannot be opened",
        "modprobe tun; in a container, pass the device in (--device /dev/net/tun).");

    private static CheckResult Network(NodeFacts facts) => new(
        "cni",
        facts.NetworkProblem is null ? CheckStatus.Ok : CheckStatus.Fail,
        facts.NetworkProblem ?? facts.NetworkSource,
        "Install the plugins (Debian: apt-get install containernetworking-plugins), and a configuration in /etc/cni/net.d if the built-in bridge is not wanted.");

    private static CheckResult Forwarding(NodeFacts facts)
    {
        bool drops = facts.ForwardPolicy is "DROP" or "REJECT";
        return new CheckResult(
            "forwarding",
            facts.ForwardsIpv4 && !drops ? CheckStatus.Ok : CheckStatus.Warn,
            $"net.ipv4.ip_forward is {(facts.ForwardsIpv4 ? 1 : 0)}, firewall policy FORWARD is {facts.ForwardPolicy ?? "unknown"}",
            drops
                ? "iptables -P FORWARD ACCEPT, or rules that accept the pod subnets: with this policy pods reach the host, and nothing beyond it."
                : "sysctl -w net.ipv4.ip_forward=1 (the bridge plugin sets it too, with the first pod).");
    }

    private static CheckResult Disk(NodeFacts facts) => new(
        "disk",
        facts.FreeMiB switch { null or < LeastFreeMiB => CheckStatus.Fail, < ComfortableFreeMiB => CheckStatus.Warn, _ => CheckStatus.Ok },
        facts.FreeMiB is { } free
            ? $"{facts.RootDirectory}: {free.ToString(CultureInfo.InvariantCulture)} MiB free"
            : $"{facts.RootDirectory}: its file system cannot be read",
        "Free space there, or put --root-directory on a larger file system.");

    private static CheckResult Cgroups(NodeFacts facts)
    {
        string[] missing = [.. Controllers.Except(facts.CgroupControllers)];
        return new CheckResult(
            "cgroups",
            facts.CgroupVersion == 0 ? CheckStatus.Fail : missing.Length > 0 ? CheckStatus.Warn : CheckStatus.Ok,
            facts.CgroupVersion == 0
                ? "no cgroup file system"
                : $"version {facts.CgroupVersion}; writable: {(facts.CgroupControllers.Count == 0 ? "none" : string.Join(", ", facts.CgroupControllers))}",
            "Mount cgroup2 on /sys/fs/cgroup with cpu, memory and pids (systemd does), writable for root.");
    }

    private static CheckResult UserIds(NodeFacts facts) => new(
        "user-ids",
        facts.UserIdClashes.Count == 0 ? CheckStatus.Ok : CheckStatus.Warn,
        facts.UserIdClashes.Count == 0
            ? $"{facts.FirstUserId} to {facts.FirstUserId + 65535} are free"
            : $"{facts.FirstUserId} to {facts.FirstUserId + 65535} overlap {string.Join(", ", facts.UserIdClashes)}",
        "Choose a free range with --first-user-id: each QEMU process gets a user id of its own.");

    private static CheckResult Socket(NodeFacts facts) => new(
        "daemon",
        facts.SocketAnswers ? CheckStatus.Ok : CheckStatus.Warn,
        facts.SocketAnswers ? $"answers on {facts.SocketPath}" : $"nothing listens on {facts.SocketPath}",
        "Start it with './vks up' or 'spherelet serve'.");
}
