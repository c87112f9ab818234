using System.Text.Json.Serialization;

namespace Vks.Supervisor.Hosts;

/// <summary>A file on its way to a host.</summary>
/// <param name="Path">Where it is to be.</param>
/// <param name="Bytes">What it holds.</param>
internal sealed record FileToPut(string Path, byte[] Bytes);

/// <summary>The JSON of files.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(FileToPut[]))]
internal sealed partial class FileToPutJson : JsonSerializerContext;
