using System.Text.Json.Serialization;

namespace Vks.Runtime.Templates;

/// <summary>The content of <c>template.json</c>, which is written last: a folder without it is no template.</summary>
internal sealed record TemplateRecord
{
    /// <summary>The version this build writes and reads.</summary>
    internal const int CurrentVersion = 2;

    /// <summary>Version of this layout.</summary>
    public required int Version { get; init; }

    /// <summary>What it was made of, for people; what counts is the folder's name, which is made of the same.</summary>
    public required TemplateShape Shape { get; init; }

    /// <summary>Length of the memory file, which is the guest's memory.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Bytes of it that hold data; the rest are holes.</summary>
    public required long DataBytes { get; init; }

    /// <summary>SHA-256 over the data of the memory file, each extent after its offset.</summary>
    public required string MemoryHash { get; init; }

    /// <summary>SHA-256 of the state file.</summary>
    public required string StateHash { get; init; }

    /// <summary>SHA-256 of the file with the scratch disk's blocks.</summary>
    public required string ScratchHash { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Made { get; init; }
}

/// <summary>JSON of a template's record.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    WriteIndented = true)]
[JsonSerializable(typeof(TemplateRecord))]
internal sealed partial class TemplateJson : JsonSerializerContext;
