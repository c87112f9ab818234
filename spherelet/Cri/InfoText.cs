using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Cri;

/// <summary>The JSON texts that verbose answers carry for people.</summary>
internal static class InfoText
{
    /// <summary>Writes one JSON object.</summary>
    public static string Write(Action<Utf8JsonWriter> members)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }
}
