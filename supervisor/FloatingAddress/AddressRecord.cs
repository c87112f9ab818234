using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vks.Supervisor.FloatingAddress;

/// <summary>What stands in etcd about the floating address. Its key's revision changes with every heartbeat.</summary>
internal sealed record AddressRecord
{
    /// <summary>The member that wrote it.</summary>
    public required string Member { get; init; }

    /// <summary>The run of that member's program: one that was started anew is somebody else.</summary>
    public required string Incarnation { get; init; }

    /// <summary>Counts the writes of that run.</summary>
    public required long Sequence { get; init; }

    /// <summary>The writer has taken the address off its link, for good: anybody may have it at once.</summary>
    public required bool Released { get; init; }

    /// <summary>As bytes for etcd.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, AddressJson.Default.AddressRecord);

    /// <summary>From etcd.</summary>
    /// <param name="bytes">What stands there.</param>
    /// <exception cref="JsonException">It is no record.</exception>
    public static AddressRecord From(ReadOnlySpan<byte> bytes) =>
        JsonSerializer.Deserialize(bytes, AddressJson.Default.AddressRecord) ?? throw new JsonException("the record of the floating address is empty");
}

/// <summary>The JSON of this folder.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(AddressRecord))]
internal sealed partial class AddressJson : JsonSerializerContext;
