using System.Buffers;
using System.Text;
using CsCheck;
using Vks.Spherelet.Cri;

namespace Vks.Tests.Spherelet;

/// <summary>Requests whose authority is the path of a socket, as kubelets up to 1.22 send them.</summary>
public sealed class CriAuthorityTests
{
    private static readonly byte[] s_preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    /// <summary>:method POST and :scheme http from the static table, a :path, an :authority with incremental indexing, then one more field.</summary>
    private static readonly byte[] s_block =
        [0x83, 0x86, 0x44, 2, (byte)'/', (byte)'x', 0x41, 5, .. "/sock"u8, 0x40, 2, .. "te"u8, 8, .. "trailers"u8];

    [Theory]
    [InlineData(0, "", "")]
    [InlineData(0x20, "12345", "")]
    [InlineData(0x08, "\u0003", "\0\0\0")]
    public void The_authority_is_replaced_and_all_else_stays(byte flags, string before, string after)
    {
        byte[] frame = Frame(1, (byte)(flags | 4), [.. Encoding.ASCII.GetBytes(before), .. s_block, .. Encoding.ASCII.GetBytes(after)]);
        byte[] expected = Frame(
            1, (byte)(flags | 4), [.. Encoding.ASCII.GetBytes(before), .. s_block[..7], 1, (byte)'a', .. s_block[13..], .. Encoding.ASCII.GetBytes(after)]);

        Assert.Equal([.. s_preface, .. expected], Pass([.. s_preface, .. frame], int.MaxValue));
    }

    [Fact]
    public void It_does_not_matter_how_the_bytes_come_in()
    {
        byte[] sent = [.. s_preface, .. Frame(4, 0, []), .. Frame(1, 4, s_block), .. Frame(0, 1, new byte[300]), .. Frame(1, 4, [0x83, 0xbf])];

        byte[] whole = Pass(sent, int.MaxValue);

        for (int size = 1; size < 40; size++)
        {
            Assert.Equal(whole, Pass(sent, size));
        }
    }

    [Fact]
    public void What_is_no_header_block_that_it_can_read_goes_on_as_it_is()
    {
        Gen.Select(Gen.Byte.Array[0, 60], Gen.Byte).Sample( (payload, flags) =>
        {
            byte[] passed = Pass([.. s_preface, .. Frame(1, flags, payload)], int.MaxValue);

            // Never more bytes than came, and always a whole frame.
            int length = (passed[24] << 16) | (passed[25] << 8) | passed[26];
            return passed.Length <= 24 + 9 + payload.Length && passed.Length == 24 + 9 + length;
        });
        Assert.Equal([.. s_preface, .. Frame(0, 0, s_block)], Pass([.. s_preface, .. Frame(0, 0, s_block)], int.MaxValue));
    }

    private static byte[] Frame(byte type, byte flags, byte[] payload) =>
        [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, 1, .. payload];

    private static byte[] Pass(byte[] sent, int pieceSize)
    {
        AuthorityRewriter rewriter = new();
        ArrayBufferWriter<byte> output = new();
        List<byte> waiting = [];
        foreach (byte[] piece in sent.Chunk(Math.Min(pieceSize, sent.Length)))
        {
            waiting.AddRange(piece);
            waiting.RemoveRange(0, rewriter.Pass([.. waiting], output));
        }

        return output.WrittenSpan.ToArray();
    }
}
