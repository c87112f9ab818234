using System.Buffers.Binary;
using System.Net;
using CsCheck;
using Vks.Agent.Network;

namespace Vks.Tests.Images;

/// <summary>The rtnetlink requests, byte by byte as the kernel's headers have them.</summary>
public sealed class AgentNetlinkTests
{
    [Fact]
    public void Bringing_a_link_up_is_these_bytes() =>
        Assert.Equal("20000000" + "1000" + "0500" + "07000000" + "00000000" + "00000000" + "03000000" + "01000000" + "01000000", Hex(LinkMessages.SetUp(3, true)));

    [Fact]
    public void Taking_a_link_down_is_these_bytes() =>
        Assert.Equal("20000000" + "1000" + "0500" + "07000000" + "00000000" + "00000000" + "03000000" + "00000000" + "01000000", Hex(LinkMessages.SetUp(3, false)));

    [Fact]
    public void Name_mtu_and_mac_are_these_attributes() =>
        Assert.Equal(
            "40000000" + "1000" + "0500" + "07000000" + "00000000" + "00000000" + "02000000" + "00000000" + "00000000"
            + "09000300" + "6574683000000000" + "08000400" + "dc050000" + "0a000100" + "0211223344550000",
            Hex(LinkMessages.Change(2, "eth0", 1500, LinkMessages.ParseMac("02:11:22:33:44:55"))));

    [Fact]
    public void An_ipv4_address_has_its_broadcast() =>
        Assert.Equal(
            "30000000" + "1400" + "0505" + "07000000" + "00000000" + "02100000" + "02000000"
            + "08000200" + "0a580005" + "08000100" + "0a580005" + "08000400" + "0a58ffff",
            Hex(LinkMessages.Address(2, "10.88.0.5/16")));

    [Fact]
    public void An_ipv6_address_skips_duplicate_detection()
    {
        string message = Hex(LinkMessages.Address(2, "fd00::5/64"));

        Assert.Equal("40000000" + "1400" + "0505" + "07000000" + "00000000" + "0a400200" + "02000000", message[..48]);
    }

    [Fact]
    public void The_default_route_has_a_gateway_a_device_and_its_mtu() =>
        Assert.Equal(
            "38000000" + "1800" + "0505" + "07000000" + "00000000" + "02000000" + "fe030001" + "00000000"
            + "08000500" + "0a580001" + "08000400" + "02000000" + "0c000800" + "08000200" + "78050000",
            Hex(LinkMessages.Route("0.0.0.0/0", "10.88.0.1", 2, 1400)));

    [Fact]
    public void A_route_without_a_gateway_is_of_link_scope() =>
        Assert.Equal("02180000" + "fe03fd01", Hex(LinkMessages.Route("10.88.0.0/24", null, 2, 0))[32..48]);

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("10.0.0.1/33")]
    [InlineData("10.0.0.1/-1")]
    [InlineData("fd00::/129")]
    [InlineData("host/8")]
    [InlineData("")]
    public void What_is_no_address_with_prefix_is_refused(string text) => Assert.Throws<FormatException>(() => LinkMessages.ParseCidr(text));

    [Theory]
    [InlineData("02:11:22:33:44")]
    [InlineData("02:11:22:33:44:5")]
    [InlineData("02:11:22:33:44:+5")]
    [InlineData("02-11-22-33-44-55")]
    [InlineData("")]
    public void What_is_no_mac_is_refused(string text) => Assert.Throws<FormatException>(() => LinkMessages.ParseMac(text));

    [Fact]
    public void Gateway_and_destination_must_be_of_one_family() =>
        Assert.Throws<FormatException>(() => LinkMessages.Route("0.0.0.0/0", "fd00::1", 2, 0));

    [Fact]
    public void Any_message_has_its_own_length_and_attributes_that_fill_it() =>
        Gen.Select(Gen.Byte.Array[4], Gen.Int[0, 32], Gen.Byte.Array[0, 40], Gen.UInt).Sample((address, prefix, extra, sequence) =>
        {
            byte[] bytes = LinkMessages.Address(1, $"{new IPAddress(address)}/{prefix}").Add(99, extra).ToArray(sequence);

            Assert.Equal(bytes.Length, BinaryPrimitives.ReadInt32LittleEndian(bytes));
            Assert.Equal(sequence, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)));
            List<int> kinds = [];
            int at = 24;
            while (at < bytes.Length)
            {
                int length = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));
                kinds.Add(BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at + 2)));
                Assert.InRange(length, 4, bytes.Length - at);
                at += (length + 3) / 4 * 4;
            }

            Assert.Equal(bytes.Length, at);
            Assert.Equal(prefix < 31 ? [2, 1, 4, 99] : [2, 1, 99], kinds);
        });

    private static string Hex(NetlinkMessage message) => Convert.ToHexStringLower(message.ToArray(7))
        is var text && text.Length >= 32 ? text : throw new InvalidOperationException("A message is shorter than its header.");
}
