using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Cri;

/// <summary>The JSON texts that verbose answers carry for people.</summary>
internal static class InfoText
{
    /// <summary>A caller's text for a message: what is long is cut, since messages travel in headers.</summary>
    public static string Shorten(string text, int length = 100) => text.Length <= length ? text : string.Concat(text.AsSpan(0, length), "…");

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
