using System.Security.Cryptography;
using System.Text;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Network;

namespace Vks.Spherelet.Pods;

/// <summary>What a freshly booted guest is told to become this pod.</summary>
internal static class PersonalityPlan
{
    private const int EntropyBytes = 64;

    private static readonly KeyValuePair<string, string>[] NetworkForEverybody =
        [new("net.ipv4.ip_unprivileged_port_start", "0"), new("net.ipv4.ping_group_range", "0 2147483647")];

    /// <summary>Makes the personality; the clock is read here, so send it at once.</summary>
    /// <param name="podId">64 hex digits.</param>
    /// <param name="config">The pod.</param>
    /// <param name="network">Its network, or null for none.</param>
    /// <param name="hostResolvConf">The host's resolv.conf, used when the pod brings no servers of its own.</param>
    /// <param name="scratchDisk">Serial of the scratch disk, or null.</param>
    /// <param name="shareTag">Tag of the 9p share, or null.</param>
    /// <param name="now">Wall clock.</param>
    public static GuestPersonality Create(
        string podId,
        PodConfig config,
        PodNetwork? network,
        string hostResolvConf,
        string? scratchDisk,
        string? shareTag,
        DateTimeOffset now) => new()
        {
            Hostname = config.Hostname,
            WallClockUnixNanoseconds = UnixTime.Nanoseconds(now),
            Entropy = RandomNumberGenerator.GetBytes(EntropyBytes),
            MachineId = MachineIdText(podId, config.Name.Uid),
            Interfaces = network is null
                ? []
                : [new GuestInterface(network.InterfaceName, network.Attachment.Mac, network.Attachment.Mtu, network.Addresses)],
            Routes = network?.Routes ?? [],
            ResolvConf = config.Dns is null ? WithoutLoopback(hostResolvConf) : ResolvConf(config.Dns),
            Hosts = Hosts(config.Hostname, network),
            Sysctls = Sysctls(config),
            UserNamespace = config.UserNamespace,
            ScratchDisk = scratchDisk,
            ShareTag = shareTag,
        };

    /// <summary>The pod's uid when it is one of 32 hex digits, as Kubernetes makes them, else the beginning of the sandbox id.</summary>
    internal static string MachineIdText(string podId, string uid)
    {
        string digits = uid.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
        return digits.Length == 32 && digits.All(char.IsAsciiHexDigitLower) ? digits : podId[..32];
    }

    private static string ResolvConf(PodDns dns)
    {
        var text = new StringBuilder();
        foreach (string server in dns.Servers)
        {
            text.Append("nameserver ").Append(server).Append('\n');
        }

        if (dns.Searches.Count > 0)
        {
            text.Append("search ").AppendJoin(' ', dns.Searches).Append('\n');
        }

        if (dns.Options.Count > 0)
        {
            text.Append("options ").AppendJoin(' ', dns.Options).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>A server on the host's loopback cannot be reached from a guest, whose loopback is its own.</summary>
    internal static string WithoutLoopback(string resolvConf) =>
        string.Concat(resolvConf.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !IsLoopbackServer(line))
            .Select(line => line + "\n"));

    /// <summary>
    /// A user namespace does not own the guest's network, so its root has no right to low ports and raw sockets there. Low ports and
    /// ping are for everybody then; what the pod asks for comes first.
    /// </summary>
    private static IReadOnlyDictionary<string, string> Sysctls(PodConfig config)
    {
        if (config.UserNamespace is null)
        {
            return config.Sysctls;
        }

        var sysctls = new Dictionary<string, string>(config.Sysctls);
        foreach ((string name, string value) in NetworkForEverybody)
        {
            if (!sysctls.ContainsKey(name.Replace('.', '/')))
            {
                sysctls.TryAdd(name, value);
            }
        }

        return sysctls;
    }

    private static bool IsLoopbackServer(string line)
    {
        string[] words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return words is ["nameserver", string address, ..]
            && System.Net.IPAddress.TryParse(address, out System.Net.IPAddress? parsed)
            && System.Net.IPAddress.IsLoopback(parsed);
    }

    private static string Hosts(string hostname, PodNetwork? network)
    {
        var text = new StringBuilder("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        foreach (string address in network?.PlainAddresses ?? [])
        {
            text.Append(address).Append('\t').Append(hostname).Append('\n');
        }

        return text.ToString();
    }
}
