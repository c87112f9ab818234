using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Vks.Spherelet.Cri;

/// <summary>Gives each HTTP/2 request of a connection an authority that the web server takes.</summary>
/// <remarks>
/// Kubelets up to 1.22 send the path of the socket as <c>:authority</c>, which is no host name (RFC 9113, 8.3.1); Kestrel resets such a
/// request and cannot be told not to. Over a unix socket the authority says nothing, so it becomes <c>a</c>. That is never longer than what it replaces:
/// an entry of the decoder's table that is smaller than the encoder believes only stays longer than needed (RFC 7541, 4.3), and no index changes.
/// </remarks>
internal sealed class AuthorityRewriter
{
    private const int FrameHeaderLength = 9;
    private const byte Headers = 1, Padded = 0x8, Priority = 0x20;

    /// <summary>Index of <c>:authority</c> in HPACK's static table.</summary>
    private const int AuthorityIndex = 1;

    private static readonly byte[] s_preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    private bool _prefaceSeen;

    /// <summary>Takes what has come and gives what of it can go on: the preface and whole frames.</summary>
    /// <param name="input">Bytes of the client.</param>
    /// <param name="output">Gets the bytes for the server.</param>
    /// <returns>How many bytes were taken; the rest is to be given again with more behind it.</returns>
    public int Pass(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        int taken = 0;
        if (!_prefaceSeen)
        {
            if (input.Length < s_preface.Length && s_preface.AsSpan().StartsWith(input))
            {
                return 0;
            }

            // Anything else is the server's to refuse.
            _prefaceSeen = true;
            taken = input.StartsWith(s_preface) ? s_preface.Length : 0;
            output.Write(input[..taken]);
        }

        while (input.Length - taken >= FrameHeaderLength)
        {
            ReadOnlySpan<byte> frame = input[taken..];
            int length = (frame[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(frame[1..]);
            if (frame.Length < FrameHeaderLength + length)
            {
                break;
            }

            frame = frame[..(FrameHeaderLength + length)];
            Write(frame, output);
            taken += frame.Length;
        }

        return taken;
    }

    private static void Write(ReadOnlySpan<byte> frame, IBufferWriter<byte> output)
    {
        (int start, int length) = frame[3] == Headers ? FindAuthority(frame) : default;
        if (length == 0)
        {
            output.Write(frame);
            return;
        }

        // The string "a": its length in one byte, not Huffman-coded.
        ReadOnlySpan<byte> replacement = [1, (byte)'a'];
        int payload = frame.Length - FrameHeaderLength - length + replacement.Length;
        output.Write([(byte)(payload >> 16), (byte)(payload >> 8), (byte)payload]);
        output.Write(frame[3..start]);
        output.Write(replacement);
        output.Write(frame[(start + length)..]);
    }

    /// <summary>Where in a HEADERS frame the authority's value is, its length included; a length of 0 when there is none to replace.</summary>
    private static (int Start, int Length) FindAuthority(ReadOnlySpan<byte> frame)
    {
        byte flags = frame[4];
        int at = FrameHeaderLength + ((flags & Padded) != 0 ? 1 : 0) + ((flags & Priority) != 0 ? 5 : 0);
        int end = frame.Length - ((flags & Padded) != 0 && frame.Length > FrameHeaderLength ? frame[FrameHeaderLength] : 0);
        while (at < end)
        {
            byte first = frame[at];

            // An indexed field (1…) and a change of the table's size (001…) are a number alone; the others (01…, 0000…, 0001…) have strings.
            int prefix = (first & 0x80) != 0 ? 7 : (first & 0x40) != 0 ? 6 : (first & 0x20) != 0 ? 5 : 4;
            bool literal = prefix is 6 or 4;
            if (!ReadNumber(frame[..end], ref at, prefix, out int index))
            {
                return default;
            }

            if (!literal)
            {
                continue;
            }

            if (index == 0 && !SkipString(frame[..end], ref at))
            {
                return default;
            }

            int start = at;
            if (!SkipString(frame[..end], ref at))
            {
                return default;
            }

            if (index == AuthorityIndex)
            {
                return at - start > 1 ? (start, at - start) : default;
            }
        }

        return default;
    }

    private static bool SkipString(ReadOnlySpan<byte> block, ref int at)
    {
        if (at >= block.Length || !ReadNumber(block, ref at, 7, out int length) || length > block.Length - at)
        {
            return false;
        }

        at += length;
        return true;
    }

    /// <summary>A number with a prefix of some bits (RFC 7541, 5.1).</summary>
    private static bool ReadNumber(ReadOnlySpan<byte> block, ref int at, int prefix, out int number)
    {
        int mask = (1 << prefix) - 1;
        number = block[at++] & mask;
        if (number < mask)
        {
            return true;
        }

        for (int shift = 0; shift <= 21 && at < block.Length; shift += 7)
        {
            byte next = block[at++];
            number += (next & 0x7f) << shift;
            if ((next & 0x80) == 0)
            {
                return true;
            }
        }

        return false;
    }
}
