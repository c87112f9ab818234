using System.Text.Json;
using Vks.Spherelet.Network;

namespace Vks.Tests.Spherelet.Network;

/// <summary>The calls that came with later versions of CNI: CHECK (0.4), STATUS and GC (1.1).</summary>
[Collection(HostNetworkCollection.Name)]
public sealed class CniVersionTests
{
    /// <summary>Gives each pod one address, writes down each call, and says as its status what the file of that name holds.</summary>
    private const string Recorder = """
        cat > $LAB/$CNI_COMMAND.json
        echo "$CNI_COMMAND:$CNI_CONTAINERID" >> $LAB/calls
        case $CNI_COMMAND in
          ADD) ip -n ${CNI_NETNS##*/} link add eth0 type veth peer name other
               echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"'$CNI_NETNS'"}],"ips":[{"address":"10.213.250.2/24","interface":0}]}' ;;
          STATUS) [ ! -e $LAB/status ] || { cat $LAB/status; exit 1; } ;;
        esac
        """;

    [Fact(Timeout = 60_000)]
    public async Task A_network_that_says_it_takes_no_pods_makes_the_node_not_ready_in_its_own_words()
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("recorder", Recorder);
        lab.WriteNetwork("""{"type":"recorder"}""", "1.1.0");
        NetworkCondition before = await lab.Open().GetConditionAsync(TestContext.Current.CancellationToken);

        await File.WriteAllTextAsync(
            Path.Combine(lab.Directory, "status"), """{"cniVersion":"1.1.0","code":50,"msg":"the fabric is away"}""", TestContext.Current.CancellationToken);
        NetworkCondition after = await lab.Open().GetConditionAsync(TestContext.Current.CancellationToken);

        Assert.True(before.IsReady, before.Message);
        Assert.False(after.IsReady);
        Assert.Equal("CniStatus", after.Reason);
        Assert.Contains("the fabric is away", after.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Collection_names_the_pods_that_are_left_and_no_pod_of_its_own()
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("recorder", Recorder);
        lab.WriteNetwork("""{"type":"recorder"}""", "1.1.0");
        CniPodNetwork network = lab.Open();
        PodNetworkRequest stays = NetworkLab.Pod();
        PodNetworkRequest goes = NetworkLab.Pod();
        await network.SetUpAsync(stays, TestContext.Current.CancellationToken);
        await network.SetUpAsync(goes, TestContext.Current.CancellationToken);
        await network.TearDownAsync(goes, TestContext.Current.CancellationToken);

        await network.CollectAsync(TestContext.Current.CancellationToken);

        using JsonDocument input = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(lab.Directory, "GC.json"), TestContext.Current.CancellationToken));
        JsonElement valid = Assert.Single(input.RootElement.GetProperty("cni.dev/valid-attachments").EnumerateArray());
        Assert.Equal((stays.PodId, "eth0"), (valid.GetProperty("containerID").GetString(), valid.GetProperty("ifname").GetString()));
        Assert.Equal("GC:", (await File.ReadAllLinesAsync(Path.Combine(lab.Directory, "calls"), TestContext.Current.CancellationToken))[^1]);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("1.0.0", "")]
    [InlineData("1.1.0", "\"disableGC\":true,")]
    public async Task Collection_is_left_out_where_the_network_does_not_know_it_or_does_not_want_it(string version, string more)
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("recorder", Recorder);
        lab.WriteNetwork("""{"type":"recorder"}""", version, more);

        await lab.Open().CollectAsync(TestContext.Current.CancellationToken);

        Assert.False(File.Exists(Path.Combine(lab.Directory, "calls")));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_network_that_fails_to_collect_still_takes_pods()
    {
        await using NetworkLab lab = new();
        lab.WritePlugin("recorder", $"[ $CNI_COMMAND != GC ] || exit 7\n{Recorder}");
        lab.WriteNetwork("""{"type":"recorder"}""", "1.1.0");
        CniPodNetwork network = lab.Open();

        await network.CollectAsync(TestContext.Current.CancellationToken);

        PodNetwork made = await network.SetUpAsync(NetworkLab.Pod(), TestContext.Current.CancellationToken);
        Assert.Equal(["10.213.250.2/24"], made.Addresses);
    }

    [Theory]
    [InlineData("""{"cniVersion":"1.0.0","cniVersions":["0.4.0","1.1.0"],"name":"n","type":"t"}""", "1.1.0")]
    [InlineData("""{"cniVersion":"0.4.0","cniVersions":["0.3.1","9.0.0"],"name":"n","type":"t"}""", "0.4.0")]
    [InlineData("""{"cniVersion":"0.4.0","name":"n","type":"t"}""", "0.4.0")]
    public void The_newest_version_that_both_sides_speak_is_spoken(string text, string version) =>
        Assert.Equal(version, CniConfiguration.Parse(text, "of the test").CniVersion);

    [Fact]
    public void A_network_from_the_future_alone_is_refused_with_what_is_known() =>
        Assert.Contains("1.1.0", Assert.Throws<FormatException>(
            () => CniConfiguration.Parse("""{"cniVersion":"9.0.0","cniVersions":["9.0.0"],"name":"n","type":"t"}""", "of the test")).Message, StringComparison.Ordinal);
}
