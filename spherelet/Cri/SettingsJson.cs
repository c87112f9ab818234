using System.Text.Json.Serialization;

namespace Vks.Spherelet.Cri;

/// <summary>The daemon's settings as <c>crictl info</c> shows them: by their names in the settings file. None is a secret; of credentials they name the file.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(SphereletOptions))]
internal sealed partial class SettingsJson : JsonSerializerContext;
