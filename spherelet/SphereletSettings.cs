using System.Globalization;
using Vks.Runtime.Machines;

namespace Vks.Spherelet;

/// <summary>One setting, by its three names.</summary>
/// <param name="Name">The flag without dashes: <c>root-directory</c>.</param>
/// <param name="Help">What it is, for <c>--help</c>.</param>
/// <param name="Apply">Reads a text into the options.</param>
/// <exception cref="FormatException">Apply: the text cannot be read; the message says what is expected.</exception>
internal sealed record SphereletSetting(string Name, string Help, Action<SphereletOptions, string> Apply)
{
    /// <summary>The name in the environment: <c>VKS_ROOT_DIRECTORY</c>.</summary>
    public string EnvironmentName => "VKS_" + Name.Replace('-', '_').ToUpperInvariant();

    /// <summary>The name in the settings file: <c>rootDir</c>.</summary>
    public string FileName { get; } = string.Concat(Name.Split('-').Select(static (word, index) =>
        index == 0 ? word : string.Concat(word[..1].ToUpperInvariant(), word.AsSpan(1))));
}

/// <summary>Every setting there is. Flags, environment, settings file and help are made from this one table.</summary>
internal static class SphereletSettings
{
    /// <summary>The settings, in the order of <c>--help</c>.</summary>
    public static IReadOnlyList<SphereletSetting> All { get; } =
    [
        new("root-directory", "Keeps pods, machines and images [/var/lib/vks]", static (options, text) => options.RootDirectory = text),
        new("runtime-directory", "Keeps sockets [/run/vks]", static (options, text) => options.RuntimeDirectory = text),
        new("socket", "Socket of the CRI server [spherelet.sock in the runtime directory]", static (options, text) => options.Socket = text),
        new("guest-directory", "Holds vmlinux and initramfs.cpio [/usr/lib/vks/guest]", static (options, text) => options.GuestDirectory = text),
        new("qemu", "QEMU program [qemu-system-x86_64]", static (options, text) => options.Qemu = text),
        new("accelerator", "auto, kvm or tcg [auto]", static (options, text) => options.Accelerator = Choice<AcceleratorChoice>(text)),
        new("boot-timeout-seconds", "How long one boot of a guest may take [20]", static (options, text) => options.BootTimeoutSeconds = Number(text)),
        new("first-user-id", "First of 65536 host user ids for QEMU processes [2000000]", static (options, text) => options.FirstUserId = LongNumber(text)),
        new("guest-clock-interval-seconds", "Time between two looks at a pod's clock, which is kept with the host's; 0 to leave it alone [60]", static (options, text) => options.GuestClockIntervalSeconds = Number(text)),
        new("default-vcpus", "Virtual CPUs of a pod without CPU limit [1]", static (options, text) => options.DefaultVcpus = Number(text)),
        new("default-memory-mib", "Memory of a pod without memory limit [512]", static (options, text) => options.DefaultMemoryMiB = Number(text)),
        new("scratch-mib", "Size of a pod's writable disk, sparse [10240]", static (options, text) => options.ScratchMiB = Number(text)),
        new("empty-dir-mib", "Most size of an emptyDir's disk, sparse; 0 shares emptyDirs from the host [262144]", static (options, text) => options.EmptyDirMiB = Number(text)),
        new("template-budget-mib", "Disk space for saved guests that pods start from, 0 to boot each [2048]", static (options, text) => options.TemplateBudgetMiB = Number(text)),
        new("pool-memory-mib", "Host memory for machines that are started before their pods come, 0 for none [0]", static (options, text) => options.PoolMemoryMiB = Number(text)),
        new("pool-keep-seconds", "How long the arrival of a pod keeps such machines of its size ready [600]", static (options, text) => options.PoolKeepSeconds = Number(text)),
        new("max-parallel-pulls", "How many images are pulled at once [3]", static (options, text) => options.MaxParallelPulls = Number(text)),
        new("registries-conf", "A registries.conf instead of the host's own", static (options, text) => options.RegistriesConf = text),
        new("signature-policy", "A policy.json instead of the host's own", static (options, text) => options.SignaturePolicy = text),
        new("signature-directory", "A registries.d instead of the host's own", static (options, text) => options.SignatureDirectory = text),
        new("registry-auth-file", "An auth.json with the host's own credentials", static (options, text) => options.RegistryAuthFile = text),
        new("registry-certificate-directory", "A certs.d beside the host's own", static (options, text) => options.RegistryCertificateDirectory = text),
        new("pull-progress-timeout-seconds", "A pull of which nothing comes for so long ends, 0 for never [300]", static (options, text) => options.PullProgressTimeoutSeconds = Number(text)),
        new("pinned-images", "Images that are never collected, separated by commas; * is anything", static (options, text) => options.PinnedImages = Items(text)),
        new("image-gc-high-percent", "Unused images are removed from this use of their file system on, 0 for never [0]", static (options, text) => options.ImageGcHighPercent = Number(text)),
        new("image-gc-low-percent", "That removal ends at this use [80]", static (options, text) => options.ImageGcLowPercent = Number(text)),
        new("image-gc-min-age-seconds", "Images that came or were used more recently stay [120]", static (options, text) => options.ImageGcMinAgeSeconds = Number(text)),
        new("image-gc-max-idle-hours", "Images unused for longer are removed in any case, 0 for never [0]", static (options, text) => options.ImageGcMaxIdleHours = Number(text)),
        new("image-gc-period-seconds", "Time between two looks for images to remove [300]", static (options, text) => options.ImageGcPeriodSeconds = Number(text)),
        new("cni-config-directory", "The host's CNI configurations [/etc/cni/net.d]", static (options, text) => options.CniConfigDirectory = text),
        new("cni-plugin-directories", "CNI plugins, separated by commas [/opt/cni/bin,/usr/lib/cni]", static (options, text) => options.CniPluginDirectories = Items(text)),
        new("cni-timeout-seconds", "How long one CNI plugin may take [60]", static (options, text) => options.CniTimeoutSeconds = Number(text)),
        new("bridge-name", "Bridge made where the host has no CNI configuration [vks0]", static (options, text) => options.BridgeName = text),
        new("pod-subnets", "Pod subnets of that bridge, separated by commas [10.88.0.0/16]", static (options, text) => options.PodSubnets = Items(text)),
        new("streaming-address", "Address that exec, attach and port-forward are served on [127.0.0.1]", static (options, text) => options.StreamingAddress = text),
        new("streaming-port", "TCP port of that address; 0 for any free one [0]", static (options, text) => options.StreamingPort = Number(text)),
        new("streaming-idle-timeout-seconds", "When a silent exec, attach or port-forward is ended [14400]", static (options, text) => options.StreamingIdleTimeoutSeconds = Number(text)),
        new("nri-socket", "Socket that NRI plugins connect to, empty for none [/var/run/nri/nri.sock]", static (options, text) => options.NriSocket = text),
        new("nri-plugin-directory", "NRI plugins that are started with the daemon, empty for none [/opt/nri/plugins]", static (options, text) => options.NriPluginDirectory = text),
        new("nri-plugin-config-directory", "Their settings, NN-NAME.conf or NAME.conf [/etc/nri/conf.d]", static (options, text) => options.NriPluginConfigDirectory = text),
        new("nri-registration-timeout-seconds", "How long a plugin may take to register, and to take in all pods [5]", static (options, text) => options.NriRegistrationTimeoutSeconds = Number(text)),
        new("nri-request-timeout-seconds", "How long a plugin may take for one answer; one that takes longer is let go [2]", static (options, text) => options.NriRequestTimeoutSeconds = Number(text)),
        new("metrics-address", "IP address and port of the Prometheus endpoint, GET /metrics [none]", static (options, text) => options.MetricsAddress = text),
        new("machines-address", "IP address and port of the machines API, by which a Supervisor keeps its machines here, 10.0.0.21:10260 [none]", static (options, text) => options.MachinesAddress = text),
        new("machines-cert-file", "The machines API's certificate, PEM; read anew when it changes", static (options, text) => options.MachinesCertFile = text),
        new("machines-key-file", "Its key, PEM", static (options, text) => options.MachinesKeyFile = text),
        new("machines-client-ca-file", "Authorities whose clients may use the machines API, PEM", static (options, text) => options.MachinesClientCaFile = text),
        new("machines-image", "Disk that members of a control plane run from [control-plane.sqfs in the guest directory]", static (options, text) => options.MachinesImage = text),
        new("node-api-server", "API server on which the daemon writes, on its Node, what a pod costs here, https://HOST:PORT [none]", static (options, text) => options.NodeApiServer = text),
        new("node-ca-file", "Authorities that sign its certificate, PEM [/var/lib/kubelet/pki/ca.crt]", static (options, text) => options.NodeCaFile = text),
        new("node-cert-file", "The kubelet's certificate and key, PEM [/var/lib/kubelet/pki/kubelet-client-current.pem]", static (options, text) => options.NodeCertFile = text),
        new("node-name", "That Node [the host's name]", static (options, text) => options.NodeName = text),
        new("tracing-endpoint", "OpenTelemetry collector, OTLP over gRPC: host:port or a URL [none]", static (options, text) => options.TracingEndpoint = text),
        new("tracing-sampling-rate-per-million", "Sampled traces of a million that no caller began; a caller's are followed as he samples them [0]", static (options, text) => options.TracingSamplingRatePerMillion = Number(text)),
        new("log-level", "trace, debug, information, warning, error or critical [information]", static (options, text) => options.LogLevel = Choice<LogLevel>(text)),
    ];

    private static int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        ? number
        : throw new FormatException($"'{text}' is not a whole number.");

    private static long LongNumber(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
        ? number
        : throw new FormatException($"'{text}' is not a whole number.");

    private static TEnum Choice<TEnum>(string text)
        where TEnum : struct, Enum =>
        Array.Find(Enum.GetNames<TEnum>(), name => name.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } name
            ? Enum.Parse<TEnum>(name)
            : throw new FormatException($"'{text}' is not one of {string.Join(", ", Enum.GetNames<TEnum>()).ToLowerInvariant()}.");

    private static string[] Items(string text) => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
