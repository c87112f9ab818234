using Vks.Spherelet;
using Vks.Spherelet.Node;

namespace Vks.Tests.Spherelet;

/// <summary>What <c>spherelet join</c> writes.</summary>
public sealed class JoinFilesTests
{
    private static readonly JoinRequest s_request = new()
    {
        Server = "https://10.0.0.1:6443",
        Token = "abcdef.0123456789abcdef",
        Authority = "-----BEGIN CERTIFICATE-----\n",
        NodeName = "node-1",
        NodeIp = "10.0.0.11",
        Zone = "zone-1",
        KubeletMinor = 36,
        IsUnified = true,
        Spherelet = "/usr/bin/spherelet",
        Socket = "/run/vks/spherelet.sock",
        CniConfigDirectory = "/etc/cni/net.d",
    };

    [Theory]
    [InlineData(20, true, true, false, false)]
    [InlineData(26, false, true, false, false)]
    [InlineData(27, false, false, true, false)]
    [InlineData(35, true, false, true, false)]
    [InlineData(35, false, false, true, true)]
    public void Each_kubelet_gets_the_place_of_the_daemon_where_it_looks_for_it(int minor, bool unified, bool flag, bool setting, bool allowsV1)
    {
        JoinRequest request = s_request with { KubeletMinor = minor, IsUnified = unified };

        string config = Content(request, "config.yaml");

        Assert.Equal(flag, JoinFiles.KubeletArguments(request).Contains("--container-runtime-endpoint=unix:///run/vks/spherelet.sock"));
        Assert.Equal(setting, config.Contains("containerRuntimeEndpoint: unix:///run/vks/spherelet.sock\n", StringComparison.Ordinal));
        Assert.Equal(allowsV1, config.Contains("failCgroupV1: false\n", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(20, "featureGates: { SizeMemoryBackedVolumes: true, EphemeralContainers: true }\n")]
    [InlineData(22, "featureGates: { EphemeralContainers: true }\n")]
    [InlineData(23, "")]
    public void What_later_kubelets_do_by_themselves_is_turned_on_for_earlier_ones(int minor, string line)
    {
        string config = Content(s_request with { KubeletMinor = minor }, "config.yaml");

        Assert.Equal(line, string.Concat(config.Split('\n').Where(static one => one.StartsWith("featureGates", StringComparison.Ordinal)).Select(static one => one + "\n")));
    }

    [Fact]
    public void The_token_is_in_one_file_that_only_root_may_read()
    {
        IReadOnlyList<JoinFile> files = JoinFiles.Build(s_request);

        JoinFile secret = Assert.Single(files, file => file.Content.Contains(s_request.Token, StringComparison.Ordinal));
        Assert.True(secret.IsSecret);
    }

    [Fact]
    public void A_network_is_described_only_where_its_addresses_are_named_and_units_only_where_systemd_runs_them()
    {
        Assert.DoesNotContain(JoinFiles.Build(s_request), file => file.Path.EndsWith(".conflist", StringComparison.Ordinal));
        Assert.Contains("10.244.1.0/24", Content(s_request with { PodCidr = "10.244.1.0/24" }, "10-vks.conflist"), StringComparison.Ordinal);
        Assert.Contains("ExecStart=/usr/bin/spherelet serve", Content(s_request, "spherelet.service"), StringComparison.Ordinal);
        Assert.DoesNotContain(JoinFiles.Build(s_request with { Units = false }), file => file.Path.EndsWith(".service", StringComparison.Ordinal));
    }

    [Fact]
    public void All_faults_of_a_request_are_told_at_once()
    {
        JoinRequest request = s_request with
        {
            Server = "http://10.0.0.1", Token = "secret", Authority = "", NodeName = "Node 1", NodeIp = "127.0.0.1", Zone = "-", PodCidr = "10.244.1.5/24", ClusterDns = "dns",
        };

        OptionsException refusal = Assert.Throws<OptionsException>(() => JoinCommand.Check(request));

        Assert.All(["server", "token", "ca-file", "node-name", "node-ip", "zone", "cluster-dns"], word => Assert.Contains(word, refusal.Message, StringComparison.Ordinal));
        JoinCommand.Check(s_request);
    }

    private static string Content(JoinRequest request, string name) =>
        Assert.Single(JoinFiles.Build(request), file => file.Path.EndsWith("/" + name, StringComparison.Ordinal)).Content;
}
