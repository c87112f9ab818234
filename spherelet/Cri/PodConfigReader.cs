using System.Net;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>Reads what a pod is asked to be, and refuses what cannot be before anything is changed.</summary>
internal static class PodConfigReader
{
    private const int MaxNameLength = 253;
    private const int MaxHostnameBytes = 63;

    /// <summary>Reads the config of a pod sandbox.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static PodConfig Read(V1.PodSandboxConfig? config, string runtimeHandler)
    {
        if (config?.Metadata is null)
        {
            throw Invalid("config.metadata", "is missing; name, namespace and uid name the pod");
        }

        if (!RuntimeHandlers.Names.Contains(runtimeHandler))
        {
            throw Invalid("runtime_handler", $"is '{runtimeHandler}'; there are {string.Join(" and ", RuntimeHandlers.Names.Where(static name => name.Length > 0))}, the first is the default");
        }

        V1.LinuxSandboxSecurityContext? security = config.Linux?.SecurityContext;
        PodSecurityReader.Check(security);
        return new PodConfig
        {
            Name = new PodName(
                Name(config.Metadata.Name, "metadata.name"),
                Name(config.Metadata.Namespace, "metadata.namespace"),
                Name(config.Metadata.Uid, "metadata.uid"),
                config.Metadata.Attempt),
            Hostname = Hostname(config),
            LogDirectory = config.LogDirectory.Length == 0 ? "" : PathRules.Absolute(config.LogDirectory, "log_directory"),
            Dns = Dns(config.DnsConfig),
            PortMappings = [.. config.PortMappings.Where(mapping => mapping.HostPort > 0).Select(PortMapping)],
            Labels = config.Labels.ToDictionary(),
            Annotations = config.Annotations.ToDictionary(),
            Resources = ResourceConversion.Read(config.Linux?.Resources),
            Overhead = ResourceConversion.Read(config.Linux?.Overhead),
            Sysctls = PodSecurityReader.Sysctls(config.Linux?.Sysctls),
            Privileged = security?.Privileged ?? false,
            PidScope = PodSecurityReader.Pid(security?.NamespaceOptions),
            IpcScope = PodSecurityReader.Ipc(security?.NamespaceOptions),
            UserNamespace = UserNamespaceReader.Read(security?.NamespaceOptions),
            RuntimeHandler = runtimeHandler,
        };
    }

    /// <summary>A name goes into CNI arguments and messages; a uid comes from Kubernetes or from a person at crictl.</summary>
    private static string Name(string text, string field) =>
        text.Length is > 0 and <= MaxNameLength && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_')
            ? text
            : throw Invalid(field, $"is '{text}'; it must be 1 to {MaxNameLength} letters, digits, '-', '.' or '_'");

    /// <summary>Empty stands for the pod's name; a host name has at most 63 bytes (sethostname(2) has room for one more).</summary>
    private static string Hostname(V1.PodSandboxConfig config)
    {
        string hostname = config.Hostname.Length > 0 ? config.Hostname : config.Metadata.Name;
        if (config.Hostname.Length == 0 && hostname.Length > MaxHostnameBytes)
        {
            hostname = hostname[..MaxHostnameBytes].TrimEnd('-', '.');
        }

        return hostname.Length <= MaxHostnameBytes && hostname.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_')
            ? hostname
            : throw Invalid("hostname", $"is '{hostname}'; it must be at most {MaxHostnameBytes} letters, digits, '-' or '.'");
    }

    private static PodDns? Dns(V1.DNSConfig? dns)
    {
        if (dns is null || (dns.Servers.Count == 0 && dns.Searches.Count == 0 && dns.Options.Count == 0))
        {
            return null;
        }

        foreach (string server in dns.Servers)
        {
            if (!IPAddress.TryParse(server, out _))
            {
                throw Invalid("dns_config.servers", $"has '{server}', which is not an address");
            }
        }

        foreach (string word in dns.Searches.Concat(dns.Options))
        {
            if (word.Length == 0 || word.Any(letter => char.IsWhiteSpace(letter) || char.IsControl(letter)))
            {
                throw Invalid("dns_config", $"has '{word}' among searches or options; each must be one word");
            }
        }

        return new PodDns([.. dns.Servers], [.. dns.Searches], [.. dns.Options]);
    }

    private static PodPortMapping PortMapping(V1.PortMapping mapping)
    {
        if (mapping.ContainerPort is < 1 or > 65535 || mapping.HostPort > 65535)
        {
            throw Invalid("port_mappings", $"maps host port {mapping.HostPort} to {mapping.ContainerPort}; ports are 1 to 65535");
        }

        if (mapping.HostIp.Length > 0 && !IPAddress.TryParse(mapping.HostIp, out _))
        {
            throw Invalid("port_mappings.host_ip", $"is '{mapping.HostIp}', which is not an address");
        }

        string protocol = mapping.Protocol switch
        {
            V1.Protocol.Tcp => "tcp",
            V1.Protocol.Udp => "udp",
            V1.Protocol.Sctp => "sctp",
            _ => throw Invalid("port_mappings.protocol", $"is {(int)mapping.Protocol}; it must be TCP, UDP or SCTP"),
        };
        return new PodPortMapping(protocol, mapping.ContainerPort, mapping.HostPort, mapping.HostIp);
    }

    private static PodException Invalid(string field, string rule) => new(PodFault.InvalidConfig, field, $"{field} {rule}.");
}
