using System.Buffers.Binary;
using System.Text;

namespace Vks.Tests.Fuzz;

/// <summary>Bytes of SPDY and WebSocket clients that mean no good. The same seed makes the same.</summary>
internal sealed class StreamFrames(Random random)
{
    private static readonly string[] s_headers = ["streamtype", "port", "requestID", "requestid", "StreamType", "", ":host", "x"];
    private static readonly string[] s_values = ["error", "stdin", "stdout", "stderr", "resize", "data", "80", "0", "-1", "99999", "", "\0", "error\0data"];
    private static readonly string[] s_texts = ["{\"Width\":80,\"Height\":24}", "{\"Width\":-1}", "{\"Width\":1e99,\"Height\":\"x\"}", "[[[[", "exit\n", "\u0004", "yes | head -c 100000\n"];

    private bool _zlibBegun;

    /// <summary>One SPDY frame; mostly one that a client could send.</summary>
    public byte[] Spdy() => random.Next(16) switch
    {
        < 5 => Control(1, [.. Number(Stream()), .. Number(0), 0, 0, .. Block()]),
        < 9 => Data(),
        9 => Control(9, [.. Number(Stream()), .. Number(random.Next(2) == 0 ? 0x7FFF_FFFF : (uint)random.NextInt64())]),
        10 => Control(3, [.. Number(Stream()), .. Number((uint)random.Next(12))]),
        11 => Control(6, Number((uint)random.NextInt64())),
        12 => Control(7, [.. Number(Stream()), .. Number((uint)random.Next(4))]),
        13 => Control(4, Rubbish(40)),
        14 => Control((ushort)random.Next(20), Rubbish(300)),
        _ => Rubbish(64),
    };

    /// <summary>One WebSocket frame; mostly one that a client could send.</summary>
    public byte[] WebSocket(bool base64)
    {
        byte[] payload = random.Next(3) == 0 ? Rubbish(3000) : Message(base64);
        var opcode = (byte)(random.Next(8) switch { 0 => random.Next(16), 1 => 0, 2 => 9, _ => base64 ? 1 : 2 });
        bool masked = random.Next(12) != 0;
        var first = (byte)((random.Next(6) == 0 ? 0 : 0x80) | (random.Next(20) == 0 ? 0x70 & random.Next(256) : 0) | opcode);
        List<byte> frame = [first];
        var mask = (byte)(masked ? 0x80 : 0);
        long length = random.Next(25) == 0 ? random.NextInt64() : payload.Length;
        if (length < 126)
        {
            frame.Add((byte)(mask | (byte)length));
        }
        else if (length <= ushort.MaxValue && random.Next(4) != 0)
        {
            frame.AddRange([(byte)(mask | 126), (byte)(length >> 8), (byte)length]);
        }
        else
        {
            frame.Add((byte)(mask | 127));
            var eight = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(eight, length);
            frame.AddRange(eight);
        }

        byte[] key = masked ? Exactly(4) : [];
        frame.AddRange(key);
        frame.AddRange(masked ? payload.Select((one, i) => (byte)(one ^ key[i % 4])) : payload);
        return [.. frame];
    }

    /// <summary>Up to so many bytes of nothing in particular.</summary>
    public byte[] Rubbish(int most) => Exactly(random.Next(most + 1));

    private byte[] Exactly(int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private byte[] Message(bool base64)
    {
        byte channel = random.Next(4) == 0 ? (byte)random.Next(256) : (byte)random.Next(6);
        byte[] text = Encoding.UTF8.GetBytes(s_texts[random.Next(s_texts.Length)]);
        return !base64 ? [channel, .. text]
            : [(byte)('0' + channel), .. random.Next(3) == 0 ? text : Encoding.ASCII.GetBytes(Convert.ToBase64String(text))];
    }

    private byte[] Control(ushort type, byte[] payload)
    {
        uint version = random.Next(40) == 0 ? (uint)random.Next(0x8000) : 3;
        return [.. Number(0x8000_0000 | (version << 16) | type), .. Number(Length(payload) | ((uint)random.Next(4) << 24)), .. payload];
    }

    private byte[] Data()
    {
        byte[] payload = random.Next(3) == 0 ? Rubbish(random.Next(10) == 0 ? 200_000 : 2000) : Encoding.UTF8.GetBytes(s_texts[random.Next(s_texts.Length)]);
        return [.. Number(Stream()), .. Number(Length(payload) | ((uint)random.Next(2) << 24)), .. payload];
    }

    private uint Length(byte[] payload) => random.Next(30) == 0 ? (uint)random.Next(0x100_0000) : (uint)payload.Length;

    private uint Stream() => random.Next(10) == 0 ? (uint)random.NextInt64() & 0x7FFF_FFFF : (uint)random.Next(8) * 2 + 1;

    /// <summary>Headers as zlib stores them uncompressed.</summary>
    private byte[] Block()
    {
        int pairs = random.Next(20) == 0 ? 500 : random.Next(1, 4);
        List<byte> plain = [.. Number(random.Next(20) == 0 ? (uint)random.NextInt64() : (uint)pairs)];
        for (; pairs > 0; pairs--)
        {
            foreach (string text in new[] { s_headers[random.Next(random.Next(2) == 0 ? 1 : s_headers.Length)], s_values[random.Next(s_values.Length)] })
            {
                plain.AddRange([.. Number(random.Next(60) == 0 ? (uint)random.NextInt64() : (uint)text.Length), .. Encoding.ASCII.GetBytes(text)]);
            }
        }

        byte[] zlib = _zlibBegun ? [] : [0x78, 0xBB, 0xE3, 0xC6, 0xA7, 0xC2];
        _zlibBegun = true;
        int count = Math.Min(plain.Count, ushort.MaxValue);
        byte[] block = [.. zlib, 0, (byte)count, (byte)(count >> 8), (byte)~count, (byte)(~count >> 8), .. plain.Take(count)];
        if (random.Next(15) == 0)
        {
            block[random.Next(block.Length)] = (byte)random.Next(256);
        }

        return block;
    }

    private static byte[] Number(uint number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return bytes;
    }
}
