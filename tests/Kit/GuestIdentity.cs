using System.Text.Json;
using Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Kit;

/// <summary>What makes one guest itself, as a container in it sees it and as the host sees it.</summary>
internal static class GuestIdentity
{
    /// <summary>The names of what <see cref="LookAsync"/> finds, in its order.</summary>
    public static IReadOnlyList<string> Facts { get; } =
        ["boot_id", "uuid", "random bytes", "host name", "MAC address", "addresses", "heap", "stack", "vdso", "QEMU's process", "QEMU's user", "QEMU's network namespace"];

    /// <summary>Starts a container in the pod and reads.</summary>
    public static async Task<IReadOnlyList<string>> LookAsync(NodeLab lab, PodUnderTest pod, CancellationToken cancellationToken)
    {
        string container = await pod.StartAsync(cancellationToken, "sleep", "1000");
        const string Script = """
            cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid
            head -c 16 /dev/urandom | od -An -tx1
            hostname
            cat /sys/class/net/eth0/address
            ip -o -4 address show dev eth0 | tr -s ' \n' ' '; echo
            for part in heap stack vdso; do grep -F "[$part]" /proc/self/maps | cut -d- -f1; done
            """;
        string text = await pod.ExecAsync(container, cancellationToken, "sh", "-c", Script);
        JsonElement info = await InfoAsync(lab, pod, cancellationToken);
        int qemu = info.GetProperty("pid").GetInt32();
        return
        [
            .. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
            FormattableString.Invariant($"{qemu}"),
            (await File.ReadAllLinesAsync(FormattableString.Invariant($"/proc/{qemu}/status"), cancellationToken)).First(static line => line.StartsWith("Uid:", StringComparison.Ordinal)),
            new FileInfo(FormattableString.Invariant($"/proc/{qemu}/ns/net")).LinkTarget ?? "",
        ];
    }

    /// <summary>What the daemon tells of the pod's machine.</summary>
    public static async Task<JsonElement> InfoAsync(NodeLab lab, PodUnderTest pod, CancellationToken cancellationToken)
    {
        PodSandboxStatusResponse status = await lab.Cri.Runtime.PodSandboxStatusAsync(
            new PodSandboxStatusRequest { PodSandboxId = pod.Id, Verbose = true }, cancellationToken: cancellationToken);
        return JsonDocument.Parse(status.Info.Values.Single()).RootElement.Clone();
    }
}
