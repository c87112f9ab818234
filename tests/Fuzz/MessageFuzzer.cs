using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Vks.Tests.Fuzz;

/// <summary>Makes messages that nobody would send, by their descriptors alone. The same seed makes the same.</summary>
/// <param name="random">The seed.</param>
/// <param name="texts">A text for a field: what would be interesting there.</param>
internal sealed class MessageFuzzer(Random random, Func<FieldDescriptor, Random, string> texts)
{
    private const int Deepest = 6;

    private static readonly long[] s_numbers =
        [0, 1, -1, 2, 9, 15, 64, 255, 256, 1000, 4096, 65_535, 65_536, 1 << 20, 1 << 30, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue, 1L << 40];

    /// <summary>A message with fields at random.</summary>
    public IMessage Make(MessageDescriptor type, int depth = 0)
    {
        IMessage message = type.Parser.ParseFrom([]);
        foreach (FieldDescriptor field in type.Fields.InDeclarationOrder())
        {
            if (random.Next(3) != 0 && (field.RealContainingOneof is null || random.Next(2) == 0))
            {
                Put(message, field, depth);
            }
        }

        return message;
    }

    /// <summary>Gives one to three fields, at any depth, something else.</summary>
    public void Mutate(IMessage message)
    {
        for (int times = random.Next(1, 4); times > 0; times--)
        {
            List<IMessage> parts = [];
            Collect(message, parts);
            IMessage part = parts[random.Next(parts.Count)];
            IList<FieldDescriptor> fields = part.Descriptor.Fields.InDeclarationOrder();
            if (fields.Count > 0)
            {
                FieldDescriptor field = fields[random.Next(fields.Count)];
                if (random.Next(5) == 0)
                {
                    field.Accessor.Clear(part);
                }
                else
                {
                    Put(part, field, 1);
                }
            }
        }
    }

    /// <summary>The message's bytes, most times whole; else cut, with bytes changed, or with more behind them.</summary>
    public byte[] Encode(IMessage message)
    {
        byte[] wire = message.ToByteArray();
        switch (random.Next(12))
        {
            case 0:
                return wire[..random.Next(wire.Length + 1)];
            case 1 when wire.Length > 0:
                for (int times = random.Next(1, 6); times > 0; times--)
                {
                    wire[random.Next(wire.Length)] = (byte)random.Next(256);
                }

                return wire;
            case 2:
                var more = new byte[random.Next(1, 60)];
                random.NextBytes(more);
                return [.. wire, .. more];
            default:
                return wire;
        }
    }

    private static void Collect(IMessage message, List<IMessage> parts)
    {
        parts.Add(message);
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder().Where(field => field.FieldType == FieldType.Message && !field.IsMap))
        {
            if (field.Accessor.GetValue(message) is IList list)
            {
                foreach (IMessage one in list)
                {
                    Collect(one, parts);
                }
            }
            else if (field.Accessor.GetValue(message) is IMessage below)
            {
                Collect(below, parts);
            }
        }
    }

    private void Put(IMessage message, FieldDescriptor field, int depth)
    {
        int items = random.Next(40) == 0 ? 200 : random.Next(4);
        if (field.IsMap)
        {
            var map = (IDictionary)field.Accessor.GetValue(message);
            for (; items > 0; items--)
            {
                map[Value(field.MessageType.FindFieldByNumber(1), depth)!] = Value(field.MessageType.FindFieldByNumber(2), depth)!;
            }
        }
        else if (field.IsRepeated)
        {
            var list = (IList)field.Accessor.GetValue(message);
            for (items = depth > 3 ? Math.Min(items, 3) : items; items > 0; items--)
            {
                if (Value(field, depth) is { } value)
                {
                    list.Add(value);
                }
            }
        }
        else if (Value(field, depth) is { } value)
        {
            field.Accessor.SetValue(message, value);
        }
    }

    private object? Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.String => texts(field, random),
        FieldType.Bytes => ByteString.CopyFrom(Bytes()),
        FieldType.Bool => random.Next(2) == 0,
        FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, random.Next(4) == 0 ? (int)Number() : field.EnumType.Values[random.Next(field.EnumType.Values.Count)].Number),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => (int)Number(),
        FieldType.UInt32 or FieldType.Fixed32 => (uint)Number(),
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => Number(),
        FieldType.UInt64 or FieldType.Fixed64 => (ulong)Number(),
        FieldType.Float => (float)Number(),
        FieldType.Double => random.Next(3) == 0 ? double.NaN : Number(),
        FieldType.Message when depth < Deepest => Make(field.MessageType, depth + 1),
        _ => null,
    };

    private long Number() => random.Next(4) == 0 ? random.NextInt64() : s_numbers[random.Next(s_numbers.Length)];

    private byte[] Bytes()
    {
        var bytes = new byte[random.Next(20) == 0 ? 100_000 : random.Next(40)];
        random.NextBytes(bytes);
        return bytes;
    }
}
