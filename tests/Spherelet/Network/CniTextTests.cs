using System.Net;
using System.Text.Json;
using CsCheck;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Network;

namespace Vks.Tests.Spherelet.Network;

/// <summary>What is read from and written to plugins, without running any.</summary>
public sealed class CniTextTests
{
    [Fact]
    public void A_gateway_outside_every_subnet_gets_a_link_route_first()
    {
        const string result = """{"interfaces":[{"name":"eth0","sandbox":"/n"}],"ips":[{"interface":0,"address":"10.1.2.3/32"}],"routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}]}""";

        CniResult read = CniResult.Parse(result, "eth0");

        Assert.Equal([new GuestRoute("169.254.1.1/32", null, "eth0"), new GuestRoute("0.0.0.0/0", "169.254.1.1", "eth0")], read.Routes);
    }

    [Fact]
    public void Addresses_of_other_interfaces_are_left_out()
    {
        const string result = """{"interfaces":[{"name":"br"},{"name":"eth0","sandbox":"/n"},{"name":"net1","sandbox":"/n"}],"ips":[{"interface":2,"address":"10.9.0.2/24"},{"interface":1,"address":"10.1.0.2/24"}]}""";

        Assert.Equal(["10.1.0.2/24"], CniResult.Parse(result, "eth0").Addresses);
    }

    [Fact]
    public void Routes_with_a_gateway_never_come_before_routes_without() =>
        Gen.Select(Gen.Int[0, 255], Gen.Bool).Array[1, 8].Sample(static routes =>
        {
            string json = string.Join(',', routes.Select(static route =>
                $$"""{"dst":"10.{{route.Item1}}.0.0/16"{{(route.Item2 ? ",\"gw\":\"192.168.0.1\"" : "")}}}"""));
            CniResult read = CniResult.Parse($$"""{"ips":[{"address":"192.168.0.9/24"}],"routes":[{{json}}]}""", "eth0");

            bool[] gateways = [.. read.Routes.Select(static route => route.Gateway is not null)];
            Assert.Equal(gateways.Order(), gateways);
            Assert.Equal(routes.Length, read.Routes.Count);
        });

    [Fact]
    public void The_subnet_of_an_address_contains_it() =>
        Gen.Select(Gen.Byte.Array[4], Gen.Int[0, 32]).Sample(static (bytes, length) =>
        {
            IPNetworkAddress address = new(new IPAddress(bytes), length);
            Assert.True(address.Network.Contains(address.Address));
            Assert.Equal(address, IPNetworkAddress.Parse(address.ToString()));
        });

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"ips\":[{\"address\":\"10.0.0.1\"}]}")]
    [InlineData("{\"ips\":[{\"address\":\"10.0.0.1/33\"}]}")]
    [InlineData("{\"routes\":[{}]}")]
    public void A_result_that_is_none_is_refused(string text) =>
        Assert.Throws<FormatException>(() => CniResult.Parse(text, "eth0"));

    [Theory]
    [InlineData("{}", "'name'")]
    [InlineData("{\"name\":\"a\",\"plugins\":[]}", "empty")]
    [InlineData("{\"name\":\"a\",\"plugins\":[{}]}", "'type'")]
    [InlineData("{\"name\":\"a\",\"plugins\":[{\"type\":\"../sh\"}]}", "path")]
    [InlineData("not json", "cannot be used")]
    public void A_configuration_that_is_none_is_refused_with_its_path_and_reason(string text, string reason)
    {
        FormatException refusal = Assert.Throws<FormatException>(() => CniConfiguration.Parse(text, "/etc/cni/net.d/10-x.conf"));

        Assert.Contains("/etc/cni/net.d/10-x.conf", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plugin_is_told_only_what_it_asks_for()
    {
        CniConfiguration network = CniConfiguration.Parse(
            """{"cniVersion":"0.4.0","name":"n","plugins":[{"type":"a","capabilities":{"mac":true,"ips":false}}]}""", "x");
        Dictionary<string, string> config = new() { ["mac"] = "\"02:00:00:00:00:01\"", ["ips"] = "[\"10.0.0.9/8\"]" };

        using JsonDocument input = JsonDocument.Parse(CniPluginInput.Build(network, network.Plugins[0], config, """{"ips":[]}"""));

        Assert.Equal(["mac"], input.RootElement.GetProperty("runtimeConfig").EnumerateObject().Select(static entry => entry.Name));
        Assert.Equal("0.4.0", input.RootElement.GetProperty("cniVersion").GetString());
        Assert.True(input.RootElement.TryGetProperty("prevResult", out _));
    }

    [Theory]
    [InlineData("10M", 10_000_000)]
    [InlineData("1Gi", 1_073_741_824)]
    [InlineData("1.5k", 1500)]
    [InlineData("500000", 500_000)]
    public void Bandwidth_is_read_as_kubernetes_writes_it(string text, long bits) => Assert.Equal(bits, CniRuntimeConfig.ParseQuantity(text));

    [Theory]
    [InlineData("")]
    [InlineData("fast")]
    [InlineData("-1M")]
    [InlineData("1")]
    [InlineData("99999999999999999999P")]
    [InlineData("10kM")]
    public void Bandwidth_that_makes_no_sense_is_refused(string text) => Assert.Throws<FormatException>(() => CniRuntimeConfig.ParseQuantity(text));

    [Theory]
    [InlineData("", "it ended with exit code 7 and said 'oops'")]
    [InlineData("{\"msg\":1}", "exit code 7")]
    [InlineData("[1", "exit code 7")]
    public void A_plugin_without_an_error_object_is_quoted_as_it_is(string output, string words)
    {
        CniPluginException refusal = CniPluginException.Read("p", 7, output, "oops");

        Assert.Equal(0, refusal.Code);
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Routes_that_a_plugin_did_not_report_are_read_from_the_namespace()
    {
        const string printed = """[{"dst":"default","gateway":"169.254.1.1","flags":[]},{"dst":"169.254.1.1","scope":"link","flags":[]},{"dst":"10.0.0.0/24","protocol":"kernel"}]""";

        Assert.Equal(
            [new GuestRoute("169.254.1.1/32", null, "eth0"), new GuestRoute("0.0.0.0/0", "169.254.1.1", "eth0")],
            NetnsRoutes.Parse(printed, "eth0", ipv6: false));
    }
}
