using System.Text.Json.Serialization;

namespace Vks.Spherelet.Pods;

/// <summary>The JSON of pod and container files.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    IgnoreReadOnlyProperties = true,
    WriteIndented = true)]
[JsonSerializable(typeof(PodRecord))]
[JsonSerializable(typeof(ContainerRecord))]
[JsonSerializable(typeof(LogPosition))]
internal sealed partial class PodJson : JsonSerializerContext;
