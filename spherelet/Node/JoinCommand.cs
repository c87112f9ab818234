using System.Globalization;
using System.Text.RegularExpressions;

namespace Vks.Spherelet.Node;

/// <summary>Makes this host a node of a cluster: writes its files, and starts daemon and kubelet by systemd.</summary>
internal static partial class JoinCommand
{
    /// <summary>Finds every fault of a request at once.</summary>
    /// <exception cref="OptionsException">There are some.</exception>
    public static void Check(JoinRequest request)
    {
        List<string> faults = [];
        if (!Uri.TryCreate(request.Server, UriKind.Absolute, out Uri? server) || server.Scheme != Uri.UriSchemeHttps)
        {
            faults.Add($"server must be like https://10.0.0.1:6443, not '{request.Server}'.");
        }

        if (!Token().IsMatch(request.Token))
        {
            faults.Add("token must be a bootstrap token: six small letters or digits, '.', sixteen of them (kubeadm token create prints one).");
        }

        if (!request.Authority.Contains("-----BEGIN CERTIFICATE-----", StringComparison.Ordinal))
        {
            faults.Add("ca-file holds no certificate in PEM.");
        }

        if (!Name().IsMatch(request.NodeName))
        {
            faults.Add($"node-name must be a DNS name of small letters, digits, '-' and '.', not '{request.NodeName}'.");
        }

        if (request.Zone.Length > 0 && !Label().IsMatch(request.Zone))
        {
            faults.Add($"zone must be at most 63 letters, digits, '-', '_' or '.', not '{request.Zone}'.");
        }

        if (request.NodeIp.Length > 0 && (!System.Net.IPAddress.TryParse(request.NodeIp, out System.Net.IPAddress? address) || System.Net.IPAddress.IsLoopback(address)))
        {
            faults.Add($"node-ip must be an address that the cluster reaches, not '{request.NodeIp}'.");
        }

        if (request.ClusterDns.Length > 0 && !System.Net.IPAddress.TryParse(request.ClusterDns, out _))
        {
            faults.Add($"cluster-dns must be an address, not '{request.ClusterDns}'.");
        }

        if (request.PodCidr.Length > 0 && !System.Net.IPNetwork.TryParse(request.PodCidr, out _))
        {
            faults.Add($"pod-cidr must be a subnet such as 10.244.1.0/24, not '{request.PodCidr}'.");
        }

        if (faults.Count > 0)
        {
            throw new OptionsException(faults);
        }
    }

    /// <summary>The second number of the kubelet's version.</summary>
    /// <exception cref="NodeException">It cannot be run, or says something unknown.</exception>
    public static async Task<int> KubeletMinorAsync(string kubelet, CancellationToken cancellationToken)
    {
        HostToolResult ended = await HostTool.RunAsync(kubelet, ["--version"], "no package of Debian's has a kubelet", cancellationToken);
        Match version = KubeletVersion().Match(ended.Text);
        return version.Success
            ? int.Parse(version.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new NodeException(
                NodeFault.NotReachable,
                $"'{kubelet} --version' ended with {ended.ExitCode} and told no version: {ended.Text.Trim()} {ended.Errors}. Name the kubelet with --kubelet.");
    }

    /// <summary>Writes the files, each whole or not at all.</summary>
    public static async Task WriteAsync(JoinRequest request, TextWriter output, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory($"{JoinFiles.KubeletDirectory}/manifests");
        foreach (JoinFile file in JoinFiles.Build(request))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file.Path)!);
            string draft = file.Path + ".new";
            await File.WriteAllTextAsync(draft, "", cancellationToken);
            File.SetUnixFileMode(draft, UnixFileMode.UserRead | UnixFileMode.UserWrite | (file.IsSecret ? 0 : UnixFileMode.GroupRead | UnixFileMode.OtherRead));
            await File.WriteAllTextAsync(draft, file.Content, cancellationToken);
            File.Move(draft, file.Path, overwrite: true);
            await output.WriteLineAsync($"wrote {file.Path}");
        }
    }

    /// <summary>Starts both units, now and at each boot.</summary>
    /// <exception cref="NodeException">systemd refused.</exception>
    public static async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (string[] arguments in new[] { new[] { "daemon-reload" }, ["enable", "--now", "spherelet.service", "kubelet.service"] })
        {
            HostToolResult ended = await HostTool.RunAsync("systemctl", arguments, "systemd", cancellationToken);
            if (ended.ExitCode != 0)
            {
                throw new NodeException(
                    NodeFault.NotPermitted, $"'systemctl {string.Join(' ', arguments)}' failed: {ended.Errors} The files are written; start spherelet and kubelet by hand, or mend systemd and join again.");
            }
        }
    }

    [GeneratedRegex(@"^[a-z0-9]{6}\.[a-z0-9]{16}$")]
    private static partial Regex Token();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
    private static partial Regex Name();

    [GeneratedRegex(@"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")]
    private static partial Regex Label();

    [GeneratedRegex(@"Kubernetes v1\.(\d+)")]
    private static partial Regex KubeletVersion();
}
