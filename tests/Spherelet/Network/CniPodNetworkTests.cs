using System.Globalization;
using System.Text.Json;
using Vks.Spherelet.Network;

namespace Vks.Tests.Spherelet.Network;

/// <summary>Pod networks with the host's real plugins, namespaces and taps.</summary>
[Collection(HostNetworkCollection.Name)]
public sealed class CniPodNetworkTests
{
    [Fact(Timeout = 60_000)]
    public async Task Two_pods_get_addresses_of_their_own_and_leave_nothing()
    {
        await using NetworkLab lab = new();
        CniPodNetwork network = lab.Open();
        PodNetworkRequest first = NetworkLab.Pod();
        PodNetworkRequest second = NetworkLab.Pod();

        PodNetwork one = await network.SetUpAsync(first, TestContext.Current.CancellationToken);
        PodNetwork two = await network.SetUpAsync(second, TestContext.Current.CancellationToken);

        Assert.NotEqual(one.Addresses, two.Addresses);
        Assert.NotEqual(one.Attachment.Mac, two.Attachment.Mac);
        Assert.Equal(1500, one.Attachment.Mtu);
        Assert.Contains(one.Routes, static route => route.Destination == "0.0.0.0/0" && route.Gateway is not null);
        await network.CheckAsync(first.PodId, TestContext.Current.CancellationToken);

        await network.TearDownAsync(first, TestContext.Current.CancellationToken);
        await network.TearDownAsync(second, TestContext.Current.CancellationToken);
        await network.TearDownAsync(second, TestContext.Current.CancellationToken);
        Assert.Empty(await lab.TracesAsync(first, second));
    }

    [Fact(Timeout = 60_000)]
    public async Task Both_families_reach_the_guest_with_their_default_routes()
    {
        await using NetworkLab lab = new("10.213.200.0/24", "fd00:213::/64");
        PodNetworkRequest pod = NetworkLab.Pod();

        PodNetwork network = await lab.Open().SetUpAsync(pod, TestContext.Current.CancellationToken);

        Assert.Collection(
            network.Addresses,
            static address => Assert.StartsWith("10.213.200.", address, StringComparison.Ordinal),
            static address => Assert.StartsWith("fd00:213::", address, StringComparison.Ordinal));
        Assert.Contains(network.Routes, static route => route is { Destination: "0.0.0.0/0", Gateway: "10.213.200.1" });
        Assert.Contains(network.Routes, static route => route is { Destination: "::/0", Gateway: "fd00:213::1" });
    }

    [Fact(Timeout = 60_000)]
    public async Task The_namespace_itself_does_not_answer_for_the_pods_address()
    {
        await using NetworkLab lab = new();
        PodNetworkRequest pod = NetworkLab.Pod();
        PodNetwork network = await lab.Open().SetUpAsync(pod, TestContext.Current.CancellationToken);

        string address = network.PlainAddresses.First();
        await Assert.ThrowsAnyAsync<CliWrap.Exceptions.CommandExecutionException>(() => NetworkLab.RunAsync(
            "bash", "-c", $"timeout 2 bash -c 'exec 3<>/dev/tcp/{address}/9'"));
        string tap = await NetworkLab.RunAsync("ip", "-n", PodNamespace.NameOf(pod.PodId), "-json", "-stats", "link", "show", "dev", PodNamespace.TapName);
        string neighbours = await NetworkLab.RunAsync("ip", "neighbour", "show", address);

        // Nothing has the tap open, so the kernel drops what is sent out of it; what matters is that the host's question went there and nobody answered.
        Assert.Contains("\"dropped\"", tap, StringComparison.Ordinal);
        Assert.DoesNotContain("lladdr", neighbours, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Set_ups_at_the_same_time_all_get_different_addresses()
    {
        await using NetworkLab lab = new();
        CniPodNetwork network = lab.Open();
        PodNetworkRequest[] pods = [.. Enumerable.Range(0, 6).Select(static _ => NetworkLab.Pod())];

        PodNetwork[] made = await Task.WhenAll(pods.Select(pod => network.SetUpAsync(pod, TestContext.Current.CancellationToken)));
        Assert.Equal(6, made.SelectMany(static one => one.Addresses).Distinct().Count());

        await Task.WhenAll(pods.Select(pod => network.TearDownAsync(pod, TestContext.Current.CancellationToken)));
        Assert.Empty(await lab.TracesAsync(pods));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_later_daemon_tears_down_by_id_what_an_earlier_one_set_up()
    {
        await using NetworkLab lab = new();
        PodNetworkRequest pod = NetworkLab.Pod();
        await lab.Open().SetUpAsync(pod, TestContext.Current.CancellationToken);

        CniPodNetwork later = lab.Open();
        Assert.Equal([pod.PodId], later.List());
        await later.TearDownAsync(pod.PodId, TestContext.Current.CancellationToken);

        Assert.Empty(await lab.TracesAsync(pod));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_namespace_that_is_gone_already_does_not_hinder_the_tear_down()
    {
        await using NetworkLab lab = new();
        PodNetworkRequest pod = NetworkLab.Pod();
        await lab.Open().SetUpAsync(pod, TestContext.Current.CancellationToken);
        await NetworkLab.RunAsync("ip", "netns", "delete", PodNamespace.NameOf(pod.PodId));

        NetworkException gone = await Assert.ThrowsAsync<NetworkException>(() => lab.Open().CheckAsync(pod.PodId, TestContext.Current.CancellationToken));
        await lab.Open().TearDownAsync(pod, TestContext.Current.CancellationToken);

        Assert.Equal(NetworkFault.HostFailed, gone.Fault);
        // Firewall rules are the plugin's: without the namespace it cannot tell which addresses they were for.
        Assert.DoesNotContain(await lab.SettledTracesAsync(pod), static trace => !trace.StartsWith("-A", StringComparison.Ordinal));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_plugin_that_refuses_is_quoted_and_leaves_nothing()
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("refuse", """
            cat > /dev/null
            echo "$CNI_COMMAND" >> $LAB/calls
            [ "$CNI_COMMAND" = DEL ] && exit 0
            echo '{"cniVersion":"1.0.0","code":123,"msg":"no room","details":"rack 7"}'
            exit 1
            """);
        lab.WriteNetwork("""{"type":"refuse"}""");
        PodNetworkRequest pod = NetworkLab.Pod();

        NetworkException refusal = await Assert.ThrowsAsync<NetworkException>(() => lab.Open().SetUpAsync(pod, TestContext.Current.CancellationToken));

        Assert.Equal(NetworkFault.PluginFailed, refusal.Fault);
        CniPluginException cause = Assert.IsType<CniPluginException>(refusal.InnerException);
        Assert.Equal((123, "no room (rack 7)"), (cause.Code, cause.Words));
        Assert.Contains("'refuse'", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(["ADD", "DEL"], await File.ReadAllLinesAsync(Path.Combine(lab.Directory, "calls"), TestContext.Current.CancellationToken));
        Assert.Empty(await lab.TracesAsync(pod));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_plugin_that_hangs_is_ended_at_its_deadline()
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("hang", """[ "$CNI_COMMAND" = DEL ] || exec sleep 30""");
        lab.WriteNetwork("""{"type":"hang"}""");
        CniPodNetwork network = new(
            lab.Options with { PluginTimeout = TimeSpan.FromSeconds(1) }, Microsoft.Extensions.Logging.Abstractions.NullLogger<CniPodNetwork>.Instance);
        PodNetworkRequest pod = NetworkLab.Pod();

        NetworkException late = await Assert.ThrowsAsync<NetworkException>(() => network.SetUpAsync(pod, TestContext.Current.CancellationToken));

        Assert.Equal(NetworkFault.TimedOut, late.Fault);
        Assert.Empty(await lab.TracesAsync(pod));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_plugin_that_is_not_installed_is_named_with_the_places_that_were_looked_at()
    {
        await using NetworkLab lab = new();
        lab.WriteNetwork("""{"type":"nowhere"}""");

        NetworkCondition condition = await lab.Open().GetConditionAsync(TestContext.Current.CancellationToken);

        Assert.False(condition.IsReady);
        Assert.Equal("CniPluginMissing", condition.Reason);
        Assert.Contains("nowhere", condition.Message, StringComparison.Ordinal);
        Assert.Contains("/usr/lib/cni", condition.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Plugins_in_a_chain_see_the_result_before_them_and_del_runs_backwards()
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("second", """
            cat > $LAB/$CNI_COMMAND.json
            echo "$CNI_ARGS" > $LAB/args
            [ "$CNI_COMMAND" = ADD ] || exit 0
            tr -d '\n' < $LAB/ADD.json | sed 's/.*"prevResult":\(.*\)}$/\1/'
            """);
        lab.WriteNetwork($$$"""
            {"type":"bridge","bridge":"{{{lab.Options.BridgeName}}}","isGateway":true,"ipam":{"type":"host-local","dataDir":"{{{lab.Directory}}}/ipam","subnet":"10.213.201.0/24"}},
            {"type":"second","capabilities":{"portMappings":true},"note":"kept"}
            """);
        PodNetworkRequest pod = NetworkLab.Pod() with { PortMappings = [new PodPortMapping("tcp", 80, 8080, "")] };

        PodNetwork made = await lab.Open().SetUpAsync(pod, TestContext.Current.CancellationToken);
        await lab.Open().TearDownAsync(pod, TestContext.Current.CancellationToken);

        using JsonDocument added = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(lab.Directory, "ADD.json"), TestContext.Current.CancellationToken));
        using JsonDocument deleted = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(lab.Directory, "DEL.json"), TestContext.Current.CancellationToken));
        Assert.Equal(8080, added.RootElement.GetProperty("runtimeConfig").GetProperty("portMappings")[0].GetProperty("hostPort").GetInt32());
        Assert.Equal("kept", added.RootElement.GetProperty("note").GetString());
        Assert.False(added.RootElement.TryGetProperty("capabilities", out _));
        Assert.Equal(made.Addresses[0], deleted.RootElement.GetProperty("prevResult").GetProperty("ips")[0].GetProperty("address").GetString());
        Assert.Contains("K8S_POD_NAME=web", await File.ReadAllTextAsync(Path.Combine(lab.Directory, "args"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Empty(made.Routes);
        Assert.Empty(await lab.TracesAsync(pod));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_second_set_up_of_the_same_pod_is_refused_and_harms_nothing()
    {
        await using NetworkLab lab = new();
        CniPodNetwork network = lab.Open();
        PodNetworkRequest pod = NetworkLab.Pod();
        await network.SetUpAsync(pod, TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<NetworkException>(() => network.SetUpAsync(pod, TestContext.Current.CancellationToken));

        await network.CheckAsync(pod.PodId, TestContext.Current.CancellationToken);
    }

    [Fact(Timeout = 60_000)]
    public async Task Time_of_set_up_and_tear_down_is_told()
    {
        await using NetworkLab lab = new();
        CniPodNetwork network = lab.Open();
        List<double> ups = [];
        List<double> downs = [];
        for (int round = 0; round < 7; round++)
        {
            PodNetworkRequest pod = NetworkLab.Pod();
            long start = TimeProvider.System.GetTimestamp();
            await network.SetUpAsync(pod, TestContext.Current.CancellationToken);
            ups.Add(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
            start = TimeProvider.System.GetTimestamp();
            await network.TearDownAsync(pod, TestContext.Current.CancellationToken);
            downs.Add(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
        }

        double up = ups.Order().ElementAt(3);
        double down = downs.Order().ElementAt(3);
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"pod network p50: set-up {up:F0} ms, tear-down {down:F0} ms"));
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"pod network p50: set-up {up:F0} ms, tear-down {down:F0} ms"));
        Assert.True(up < 5000 && down < 5000, $"set-up took {up} ms, tear-down {down} ms at the median");
    }
}
