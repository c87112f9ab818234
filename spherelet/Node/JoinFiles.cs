using System.Globalization;
using System.Text;

namespace Vks.Spherelet.Node;

/// <summary>One file of a node.</summary>
/// <param name="Path">Where it goes.</param>
/// <param name="Content">What is in it.</param>
/// <param name="IsSecret">Only root may read it.</param>
internal sealed record JoinFile(string Path, string Content, bool IsSecret = false);

/// <summary>The files that make a host a node: settings of kubelet, network and systemd. Pure.</summary>
/// <remarks>They hold for kubelets from 1.20 on. Earlier than 1.27 the place of the CRI server is a flag; from 1.35 on cgroup v1 must be allowed.</remarks>
internal static class JoinFiles
{
    /// <summary>The kubelet's own folder.</summary>
    public const string KubeletDirectory = "/var/lib/kubelet";

    private const int EndpointInConfig = 27;
    private const int RefusesCgroupV1 = 35;

    /// <summary>What is on by itself from this minor version on; before, a pod's memory volumes had no size and <c>kubectl debug</c> no effect.</summary>
    private static readonly (int Minor, string Gate)[] s_gates = [(22, "SizeMemoryBackedVolumes"), (23, "EphemeralContainers")];

    /// <summary>All files, each whole.</summary>
    public static IReadOnlyList<JoinFile> Build(JoinRequest request)
    {
        List<JoinFile> files =
        [
            new($"{KubeletDirectory}/pki/ca.crt", request.Authority),
            new($"{KubeletDirectory}/bootstrap.kubeconfig", Bootstrap(request), IsSecret: true),
            new($"{KubeletDirectory}/config.yaml", KubeletConfig(request)),
            new($"{KubeletDirectory}/arguments", string.Join('\n', KubeletArguments(request)) + "\n"),
        ];
        if (request.Units)
        {
            files.Add(new("/etc/systemd/system/spherelet.service", SphereletUnit(request)));
            files.Add(new("/etc/systemd/system/kubelet.service", KubeletUnit(request)));
        }

        if (request.PodCidr.Length > 0)
        {
            files.Add(new($"{request.CniConfigDirectory}/10-vks.conflist", Network(request.PodCidr)));
        }

        return files;
    }

    /// <summary>The kubelet's arguments.</summary>
    public static IReadOnlyList<string> KubeletArguments(JoinRequest request)
    {
        List<string> arguments =
        [
            $"--config={KubeletDirectory}/config.yaml",
            $"--kubeconfig={KubeletDirectory}/kubeconfig",
            $"--bootstrap-kubeconfig={KubeletDirectory}/bootstrap.kubeconfig",
            $"--hostname-override={request.NodeName}",
            $"--node-labels={Labels(request.Zone)}",
        ];
        if (request.NodeIp.Length > 0)
        {
            arguments.Add($"--node-ip={request.NodeIp}");
        }

        if (request.KubeletMinor < EndpointInConfig)
        {
            arguments.AddRange(["--container-runtime=remote", $"--container-runtime-endpoint=unix://{request.Socket}"]);
        }

        return arguments;
    }

    /// <summary>Labels a kubelet may give itself. The role that <c>kubectl get nodes</c> shows is an administrator's to give.</summary>
    private static string Labels(string zone) => "vks.dev/role=agent" + (zone.Length > 0 ? $",topology.kubernetes.io/zone={zone}" : "");

    private static string KubeletConfig(JoinRequest request)
    {
        StringBuilder text = new(string.Create(CultureInfo.InvariantCulture, $$"""
            apiVersion: kubelet.config.k8s.io/v1beta1
            kind: KubeletConfiguration
            authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: {{KubeletDirectory}}/pki/ca.crt } }
            authorization: { mode: Webhook }
            rotateCertificates: true
            staticPodPath: {{KubeletDirectory}}/manifests
            clusterDomain: cluster.local
            resolvConf: /etc/resolv.conf
            cgroupDriver: cgroupfs
            failSwapOn: false

            """));
        if (request.CgroupRoot.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"cgroupRoot: {request.CgroupRoot}\n");
        }

        if (request.ClusterDns.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"clusterDNS: [{request.ClusterDns}]\n");
        }

        if (request.KubeletMinor >= EndpointInConfig)
        {
            text.Append(CultureInfo.InvariantCulture, $"containerRuntimeEndpoint: unix://{request.Socket}\n");
        }

        if (request.KubeletMinor >= RefusesCgroupV1 && !request.IsUnified)
        {
            text.Append("failCgroupV1: false\n");
        }

        string[] gates = [.. s_gates.Where(gate => request.KubeletMinor < gate.Minor).Select(static gate => $"{gate.Gate}: true")];
        if (gates.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"featureGates: {{ {string.Join(", ", gates)} }}\n");
        }

        return text.ToString();
    }

    private static string Bootstrap(JoinRequest request) => $$"""
        apiVersion: v1
        kind: Config
        clusters: [{ name: cluster, cluster: { server: "{{request.Server}}", certificate-authority: {{KubeletDirectory}}/pki/ca.crt } }]
        users: [{ name: bootstrap, user: { token: "{{request.Token}}" } }]
        contexts: [{ name: bootstrap, context: { cluster: cluster, user: bootstrap } }]
        current-context: bootstrap

        """;

    /// <summary>Pods keep their addresses on the way to others of the cluster; who routes between nodes masquerades what leaves it.</summary>
    private static string Network(string podCidr) => $$"""
        {
          "cniVersion": "1.0.0",
          "name": "vks",
          "plugins": [
            { "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
              "ipam": { "type": "host-local", "dataDir": "/run/cni/vks", "ranges": [[{ "subnet": "{{podCidr}}" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
            { "type": "portmap", "capabilities": { "portMappings": true }, "snat": true },
            { "type": "bandwidth", "capabilities": { "bandwidth": true } }
          ]
        }

        """;

    private static string SphereletUnit(JoinRequest request) => $"""
        [Unit]
        Description=Spherelet: pods as microVMs
        After=network-online.target
        Wants=network-online.target

        [Service]
        Type=notify
        ExecStart={request.Spherelet} serve --socket {request.Socket} --cni-config-directory {request.CniConfigDirectory} --node-api-server {request.Server} --node-name {request.NodeName}
        # Machines go on without their daemon, and the next one takes them back.
        KillMode=process
        Delegate=yes
        Restart=always
        LimitNOFILE=1048576

        [Install]
        WantedBy=multi-user.target

        """;

    private static string KubeletUnit(JoinRequest request) => $"""
        [Unit]
        Description=Kubelet
        After=spherelet.service
        Wants=spherelet.service

        [Service]
        ExecStart={request.Kubelet} {string.Join(' ', KubeletArguments(request))}
        KillMode=process
        Restart=always
        RestartSec=5

        [Install]
        WantedBy=multi-user.target

        """;
}
