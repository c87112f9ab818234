using System.Text.Json.Nodes;
using YamlDotNet.Serialization;

namespace Vks.Supervisor.Kubernetes;

/// <summary>The objects of <c>manifests/</c>, which are part of the program.</summary>
internal static class Manifests
{
    /// <summary>All documents of the files whose names begin with one of these prefixes, in the order of file names.</summary>
    /// <param name="prefixes">As <c>1</c> for the definitions, <c>20</c> for roles.</param>
    /// <param name="replace">Words in the text and what stands for them.</param>
    public static IReadOnlyList<JsonObject> Read(IReadOnlyCollection<string> prefixes, params (string Word, string Text)[] replace)
    {
        List<JsonObject> found = [];
        foreach (string name in typeof(Manifests).Assembly.GetManifestResourceNames().Order(StringComparer.Ordinal))
        {
            if (!name.EndsWith(".yaml", StringComparison.Ordinal) || !prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)))
            {
                continue;
            }

            using StreamReader reader = new(typeof(Manifests).Assembly.GetManifestResourceStream(name)!);
            string text = reader.ReadToEnd();
            foreach ((string word, string by) in replace)
            {
                text = text.Replace(word, by, StringComparison.Ordinal);
            }

            found.AddRange(Parse(text));
        }

        return found;
    }

    /// <summary>The documents of a YAML text.</summary>
    public static IEnumerable<JsonObject> Parse(string yaml)
    {
        IDeserializer reader = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build();
        ISerializer writer = new SerializerBuilder().JsonCompatible().Build();
        YamlDotNet.Core.Parser parser = new(new StringReader(yaml));
        parser.MoveNext();
        while (parser.Current is not (null or YamlDotNet.Core.Events.StreamEnd))
        {
            if (parser.Current is YamlDotNet.Core.Events.StreamStart)
            {
                parser.MoveNext();
                continue;
            }

            if (reader.Deserialize(parser) is { } document)
            {
                yield return JsonNode.Parse(writer.Serialize(document))!.AsObject();
            }
        }
    }
}
