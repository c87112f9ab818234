using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Vks.Runtime.Machines;

namespace Vks.Spherelet;

/// <summary>All settings of the Spherelet. Each can be given as a flag, in the environment or in the settings file; see <see cref="SphereletSettings"/>.</summary>
internal sealed record SphereletOptions
{
    /// <summary>Keeps pods, machines and images. Default <c>/var/lib/vks</c>.</summary>
    [RegularExpression("/.+", ErrorMessage = "root-directory must be an absolute path.")]
    public string RootDirectory { get; set; } = "/var/lib/vks";

    /// <summary>Keeps sockets. At most 60 bytes, because socket paths are limited by the kernel to 107. Default <c>/run/vks</c>.</summary>
    [RegularExpression("/.{1,59}", ErrorMessage = "runtime-directory must be an absolute path of at most 60 bytes.")]
    public string RuntimeDirectory { get; set; } = "/run/vks";

    /// <summary>The socket of the CRI server, or null for <c>spherelet.sock</c> in the runtime directory.</summary>
    [RegularExpression("/.{1,106}", ErrorMessage = "socket must be an absolute path of at most 107 bytes.")]
    public string? Socket { get; set; }

    /// <summary>Holds <c>vmlinux</c>, <c>initramfs.cpio</c> and <c>artifacts.json</c>. Default <c>/usr/lib/vks/guest</c>.</summary>
    [RegularExpression("/.+", ErrorMessage = "guest-directory must be an absolute path.")]
    public string GuestDirectory { get; set; } = "/usr/lib/vks/guest";

    /// <summary>The QEMU program. Default <c>qemu-system-x86_64</c> on the PATH.</summary>
    [Required(ErrorMessage = "qemu must name a program.")]
    public string Qemu { get; set; } = "qemu-system-x86_64";

    /// <summary>auto, kvm or tcg. Default auto: KVM when a guest really boots on it.</summary>
    [EnumDataType(typeof(AcceleratorChoice), ErrorMessage = "accelerator must be auto, kvm or tcg.")]
    public AcceleratorChoice Accelerator { get; set; } = AcceleratorChoice.Auto;

    /// <summary>Seconds one boot of a guest may take, 1 to 600. Default 20.</summary>
    [Range(1, 600, ErrorMessage = "boot-timeout-seconds must be 1 to 600.")]
    public int BootTimeoutSeconds { get; set; } = 20;

    /// <summary>First of 65536 host user ids for QEMU processes, 65536 to 4294836224. Default 2000000.</summary>
    [Range(65_536L, 4_294_836_224L, ErrorMessage = "first-user-id must be 65536 to 4294836224.")]
    public long FirstUserId { get; set; } = 2_000_000;

    /// <summary>Seconds between two looks at the clock of a pod, which is kept with the host's, 0 to 86400; 0: it is set when the pod starts and then left alone. Default 60.</summary>
    [Range(0, 86_400, ErrorMessage = "guest-clock-interval-seconds must be 0 to 86400.")]
    public int GuestClockIntervalSeconds { get; set; } = 60;

    /// <summary>Virtual CPUs of a pod without CPU limit, 1 to 64. Default 1.</summary>
    [Range(1, 64, ErrorMessage = "default-vcpus must be 1 to 64.")]
    public int DefaultVcpus { get; set; } = 1;

    /// <summary>Memory in MiB of a pod without memory limit, 96 to 1048576. Default 512.</summary>
    [Range(96, 1_048_576, ErrorMessage = "default-memory-mib must be 96 to 1048576.")]
    public int DefaultMemoryMiB { get; set; } = 512;

    /// <summary>Size in MiB of a pod's writable disk, 64 to 16777216; sparse, so it takes what is written. Default 10240.</summary>
    [Range(64, 16_777_216, ErrorMessage = "scratch-mib must be 64 to 16777216.")]
    public int ScratchMiB { get; set; } = 10_240;

    /// <summary>Most MiB of the disk of one emptyDir, 16 to 16777216, sparse; 0: emptyDirs are shared from the host. Default 262144.</summary>
    [Range(0, 16_777_216, ErrorMessage = "empty-dir-mib must be 0, or 16 to 16777216.")]
    [DeniedValues(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ErrorMessage = "empty-dir-mib must be 0, or 16 to 16777216.")]
    public int EmptyDirMiB { get; set; } = 262_144;

    /// <summary>Disk space in MiB for templates, booted guests that pods start from, 0 to 1048576; 0: every pod's guest boots. Default 2048.</summary>
    [Range(0, 1_048_576, ErrorMessage = "template-budget-mib must be 0 to 1048576.")]
    public int TemplateBudgetMiB { get; set; } = 2048;

    /// <summary>Host memory in MiB that machines started before their pods come may take together, 0 to 1048576; 0: none is started. Default 0.</summary>
    [Range(0, 1_048_576, ErrorMessage = "pool-memory-mib must be 0 to 1048576.")]
    public int PoolMemoryMiB { get; set; }

    /// <summary>Seconds for which the arrival of a pod keeps machines of its size ready, 1 to 86400. Default 600.</summary>
    [Range(1, 86_400, ErrorMessage = "pool-keep-seconds must be 1 to 86400.")]
    public int PoolKeepSeconds { get; set; } = 600;

    /// <summary>How many images are pulled at once, 1 to 64. Default 3.</summary>
    [Range(1, 64, ErrorMessage = "max-parallel-pulls must be 1 to 64.")]
    public int MaxParallelPulls { get; set; } = 3;

    /// <summary>A registries.conf (mirrors, registries without TLS) instead of the host's own, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "registries-conf must be an absolute path.")]
    public string? RegistriesConf { get; set; }

    /// <summary>A policy.json, which says whose signatures are asked for, instead of the host's own, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "signature-policy must be an absolute path.")]
    public string? SignaturePolicy { get; set; }

    /// <summary>A registries.d, which says where signatures are kept, instead of the host's own, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "signature-directory must be an absolute path.")]
    public string? SignatureDirectory { get; set; }

    /// <summary>An auth.json with the host's own credentials for registries, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "registry-auth-file must be an absolute path.")]
    public string? RegistryAuthFile { get; set; }

    /// <summary>A certs.d with own CAs and client certificates by registry, beside <c>/etc/containers/certs.d</c> and <c>/etc/docker/certs.d</c>, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "registry-certificate-directory must be an absolute path.")]
    public string? RegistryCertificateDirectory { get; set; }

    /// <summary>Seconds without a byte after which a pull is ended, 0 for never, at most 86400. Default 300.</summary>
    [Range(0, 86_400, ErrorMessage = "pull-progress-timeout-seconds must be 0 to 86400.")]
    public int PullProgressTimeoutSeconds { get; set; } = 300;

    /// <summary>Images that are never collected, by name; <c>*</c> stands for anything. Default none.</summary>
    public IReadOnlyList<string> PinnedImages { get; set; } = [];

    /// <summary>Use of the images' file system in percent from which unused images are removed, 0 for never. Default 0: a kubelet does it.</summary>
    [Range(0, 100, ErrorMessage = "image-gc-high-percent must be 0 to 100.")]
    [AboveLowPercent]
    public int ImageGcHighPercent { get; set; }

    /// <summary>Use in percent at which that removal ends, 0 to 99. Default 80.</summary>
    [Range(0, 99, ErrorMessage = "image-gc-low-percent must be 0 to 99.")]
    public int ImageGcLowPercent { get; set; } = 80;

    /// <summary>Seconds for which an image is safe from that after it came or was used, at most 31536000. Default 120.</summary>
    [Range(0, 31_536_000, ErrorMessage = "image-gc-min-age-seconds must be 0 to 31536000.")]
    public int ImageGcMinAgeSeconds { get; set; } = 120;

    /// <summary>Hours without use after which an image is removed in any case, 0 for never, at most 87600. Default 0.</summary>
    [Range(0, 87_600, ErrorMessage = "image-gc-max-idle-hours must be 0 to 87600.")]
    public int ImageGcMaxIdleHours { get; set; }

    /// <summary>Seconds between two looks for images to remove, 1 to 86400. Default 300.</summary>
    [Range(1, 86_400, ErrorMessage = "image-gc-period-seconds must be 1 to 86400.")]
    public int ImageGcPeriodSeconds { get; set; } = 300;

    /// <summary>Where the host keeps CNI configurations. Default <c>/etc/cni/net.d</c>.</summary>
    [RegularExpression("/.+", ErrorMessage = "cni-config-directory must be an absolute path.")]
    public string CniConfigDirectory { get; set; } = "/etc/cni/net.d";

    /// <summary>Where CNI plugins are looked for, in order. Default <c>/opt/cni/bin</c> and <c>/usr/lib/cni</c>.</summary>
    [Items(ErrorMessage = "cni-plugin-directories must name at least one directory.")]
    public IReadOnlyList<string> CniPluginDirectories { get; set; } = ["/opt/cni/bin", "/usr/lib/cni"];

    /// <summary>Seconds one CNI plugin may take, 1 to 600. Default 60.</summary>
    [Range(1, 600, ErrorMessage = "cni-timeout-seconds must be 1 to 600.")]
    public int CniTimeoutSeconds { get; set; } = 60;

    /// <summary>Bridge of the network that is made where the host has no CNI configuration. Default <c>vks0</c>.</summary>
    [RegularExpression("[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", ErrorMessage = "bridge-name must be 1 to 15 letters, digits, '_', '.' or '-'.")]
    public string BridgeName { get; set; } = "vks0";

    /// <summary>Pod subnets of that network, at most one for each IP family. Default <c>10.88.0.0/16</c>.</summary>
    [PodSubnets]
    public IReadOnlyList<string> PodSubnets { get; set; } = ["10.88.0.0/16"];

    /// <summary>IP address that exec, attach and port-forward are served on. Only the kubelet, on the node itself, has to reach it. Default <c>127.0.0.1</c>.</summary>
    [IpAddress]
    public string StreamingAddress { get; set; } = "127.0.0.1";

    /// <summary>TCP port of that address, 0 to 65535; 0 for any that is free. Default 0.</summary>
    [Range(0, 65535, ErrorMessage = "streaming-port must be 0 to 65535.")]
    public int StreamingPort { get; set; }

    /// <summary>Seconds after which a silent exec, attach or port-forward is ended, 1 to 86400. Default 14400.</summary>
    [Range(1, 86400, ErrorMessage = "streaming-idle-timeout-seconds must be 1 to 86400.")]
    public int StreamingIdleTimeoutSeconds { get; set; } = 14_400;

    /// <summary>Socket that NRI plugins connect to, or empty for none. Default <c>/var/run/nri/nri.sock</c>.</summary>
    [RegularExpression("(/.{1,106})?", ErrorMessage = "nri-socket must be an absolute path of at most 107 bytes, or empty.")]
    public string NriSocket { get; set; } = "/var/run/nri/nri.sock";

    /// <summary>NRI plugins that are started with the daemon, or empty for none. Default <c>/opt/nri/plugins</c>.</summary>
    [RegularExpression("(/.+)?", ErrorMessage = "nri-plugin-directory must be an absolute path, or empty.")]
    public string NriPluginDirectory { get; set; } = "/opt/nri/plugins";

    /// <summary>Their settings. Default <c>/etc/nri/conf.d</c>.</summary>
    [RegularExpression("/.+", ErrorMessage = "nri-plugin-config-directory must be an absolute path.")]
    public string NriPluginConfigDirectory { get; set; } = "/etc/nri/conf.d";

    /// <summary>Seconds from a plugin's connection to its registration, and for taking in all pods, 1 to 600. Default 5.</summary>
    [Range(1, 600, ErrorMessage = "nri-registration-timeout-seconds must be 1 to 600.")]
    public int NriRegistrationTimeoutSeconds { get; set; } = 5;

    /// <summary>Seconds a plugin may take for one answer, 1 to 600. Default 2.</summary>
    [Range(1, 600, ErrorMessage = "nri-request-timeout-seconds must be 1 to 600.")]
    public int NriRequestTimeoutSeconds { get; set; } = 2;

    /// <summary>IP address and TCP port of the machines API, <c>10.0.0.21:10260</c>; null or empty for none. Default none.</summary>
    [MachinesAddress]
    public string? MachinesAddress { get; set; }

    /// <summary>The machines API's certificate, PEM, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "machines-cert-file must be an absolute path.")]
    public string? MachinesCertFile { get; set; }

    /// <summary>Its key, PEM, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "machines-key-file must be an absolute path.")]
    public string? MachinesKeyFile { get; set; }

    /// <summary>Authorities whose clients may use the machines API, PEM, or null.</summary>
    [RegularExpression("/.+", ErrorMessage = "machines-client-ca-file must be an absolute path.")]
    public string? MachinesClientCaFile { get; set; }

    /// <summary>The disk that members of a control plane run from, or null for <c>control-plane.sqfs</c> in the guest directory.</summary>
    [RegularExpression("/.+", ErrorMessage = "machines-image must be an absolute path.")]
    public string? MachinesImage { get; set; }

    /// <summary>IP address and TCP port of the Prometheus endpoint, <c>127.0.0.1:9100</c>; null or empty for none. Whoever reaches it may read it.</summary>
    [MetricsAddress]
    public string? MetricsAddress { get; set; }

    /// <summary>The API server on which the daemon writes, on its Node, what a pod costs here; null or empty: it does not. Default none.</summary>
    [RegularExpression(@"(https://[^\s/?#]+/?)?", ErrorMessage = "node-api-server must be an https URL such as https://10.0.0.2:6443, or empty.")]
    public string? NodeApiServer { get; set; }

    /// <summary>Authorities that sign its certificate, PEM. Default <c>/var/lib/kubelet/pki/ca.crt</c>.</summary>
    [RegularExpression("/.+", ErrorMessage = "node-ca-file must be an absolute path.")]
    public string NodeCaFile { get; set; } = "/var/lib/kubelet/pki/ca.crt";

    /// <summary>The kubelet's certificate and key, PEM. Default <c>/var/lib/kubelet/pki/kubelet-client-current.pem</c>.</summary>
    [RegularExpression("/.+", ErrorMessage = "node-cert-file must be an absolute path.")]
    public string NodeCertFile { get; set; } = "/var/lib/kubelet/pki/kubelet-client-current.pem";

    /// <summary>The Node of this host, or null for the host's name in small letters, as a kubelet has it.</summary>
    [RegularExpression("[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", ErrorMessage = "node-name must be a DNS name in small letters.")]
    public string? NodeName { get; set; }

    /// <summary>Collector of traces that speaks OTLP over gRPC: <c>host:port</c> without TLS, or a URL; null or empty for none.</summary>
    [RegularExpression(@"^((https?://)?([^\s/:\[\]]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?/?)?$", ErrorMessage = "tracing-endpoint must be host:port or an http or https URL.")]
    public string? TracingEndpoint { get; set; }

    /// <summary>How many of a million traces that no caller began are sampled, 0 to 1000000. Default 0: a caller's trace is followed as he samples it, and no other.</summary>
    [Range(0, 1_000_000, ErrorMessage = "tracing-sampling-rate-per-million must be 0 to 1000000.")]
    public int TracingSamplingRatePerMillion { get; set; }

    /// <summary>trace, debug, information, warning, error or critical. Default information.</summary>
    [EnumDataType(typeof(LogLevel), ErrorMessage = "log-level must be trace, debug, information, warning, error or critical.")]
    public LogLevel LogLevel { get; set; } = LogLevel.Information;

    /// <summary>The socket in use.</summary>
    public string SocketPath => Socket ?? Path.Combine(RuntimeDirectory, "spherelet.sock");
}

/// <summary>Checks a <see cref="SphereletOptions"/> whole; the code is generated from its attributes.</summary>
[OptionsValidator]
internal sealed partial class SphereletOptionsValidator : IValidateOptions<SphereletOptions>;

/// <summary>One or two subnets with room for pods, of different IP families.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PodSubnetsAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
    {
        IReadOnlyList<string> subnets = value as IReadOnlyList<string> ?? [];
        List<System.Net.IPNetwork> read = [];
        foreach (string subnet in subnets)
        {
            // The parser takes host bits and drops them; here they are most likely a mistake.
            if (!System.Net.IPNetwork.TryParse(subnet, out System.Net.IPNetwork network)
                || !network.BaseAddress.Equals(System.Net.IPAddress.Parse(subnet.Split('/')[0])))
            {
                return new ValidationResult($"pod-subnets: '{subnet}' is not a subnet such as 10.88.0.0/16 (host bits must be zero).");
            }

            int bits = network.BaseAddress.GetAddressBytes().Length * 8;
            if (network.PrefixLength > bits - 2)
            {
                return new ValidationResult($"pod-subnets: '{subnet}' has no room for pods.");
            }

            read.Add(network);
        }

        bool oneEach = read.Count > 0 && read.Select(static network => network.BaseAddress.AddressFamily).Distinct().Count() == read.Count;
        return oneEach ? ValidationResult.Success : new ValidationResult("pod-subnets must be one IPv4 subnet, one IPv6 subnet, or one of each.");
    }
}

/// <summary>An IPv4 or IPv6 address.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class IpAddressAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        System.Net.IPAddress.TryParse(value as string, out _)
            ? ValidationResult.Success
            : new ValidationResult($"streaming-address: '{value}' is not an IP address.");
}

/// <summary>An IPv4 or IPv6 address with a port, or nothing.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class MetricsAddressAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        value is null or "" || (System.Net.IPEndPoint.TryParse((string)value, out System.Net.IPEndPoint? address) && address.Port > 0)
            ? ValidationResult.Success
            : new ValidationResult($"metrics-address: '{value}' is not an IP address with a port, such as 127.0.0.1:9100.");
}

/// <summary>An IPv4 or IPv6 address with a port, or nothing; with it, certificate, key and clients' authorities are needed: whoever may use it has the host's machines.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class MachinesAddressAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        value is null or ""
            ? ValidationResult.Success
            : !System.Net.IPEndPoint.TryParse((string)value, out System.Net.IPEndPoint? address) || address.Port == 0
            ? new ValidationResult($"machines-address: '{value}' is not an IP address with a port, such as 10.0.0.21:10260.")
            : validationContext.ObjectInstance is SphereletOptions { MachinesCertFile: not null, MachinesKeyFile: not null, MachinesClientCaFile: not null }
            ? ValidationResult.Success
            : new ValidationResult("machines-address needs machines-cert-file, machines-key-file and machines-client-ca-file.");
}

/// <summary>Images are removed from a higher use of their file system on than the one at which that ends.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AboveLowPercentAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        value is > 0 && validationContext.ObjectInstance is SphereletOptions options && options.ImageGcHighPercent <= options.ImageGcLowPercent
            ? new ValidationResult("image-gc-high-percent must be more than image-gc-low-percent.")
            : ValidationResult.Success;
}

/// <summary>A list with at least one item.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ItemsAttribute : ValidationAttribute
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is IReadOnlyList<string> { Count: > 0 };
}
