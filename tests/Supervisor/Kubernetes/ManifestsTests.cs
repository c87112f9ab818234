using System.Text.Json.Nodes;
using Vks.Supervisor.Kubernetes;

namespace Vks.Tests.Supervisor.Kubernetes;

/// <summary>The manifests that are part of the program.</summary>
public sealed class ManifestsTests
{
    [Fact]
    public void Every_definition_has_columns_a_short_name_and_our_category()
    {
        IReadOnlyList<JsonObject> definitions = Manifests.Read(["1"]);

        Assert.Equal(6, definitions.Count);
        Assert.All(definitions, definition =>
        {
            JsonNode names = definition["spec"]!["names"]!;
            Assert.Equal($"{names["plural"]}.{definition["spec"]!["group"]}", (string?)definition["metadata"]!["name"]);
            Assert.NotEmpty(names["shortNames"]!.AsArray());
            Assert.Contains("vks", names["categories"]!.AsArray().Select(name => (string?)name));
            Assert.True(definition["spec"]!["versions"]![0]!["additionalPrinterColumns"]!.AsArray().Count > 2);
            Assert.Equal($"{names["plural"]}", ApiResource.For("g/v1", (string)names["kind"]!).Plural);
        });
    }

    [Fact]
    public void Words_for_addresses_are_replaced()
    {
        IReadOnlyList<JsonObject> hooks = Manifests.Read(["30"], ("ADDRESS", "https://127.0.0.1:1"), ("AUTHORITY", "QQ=="));

        Assert.All(hooks.SelectMany(hook => hook["webhooks"]!.AsArray()), hook =>
        {
            Assert.StartsWith("https://127.0.0.1:1/admission/", (string?)hook!["clientConfig"]!["url"], StringComparison.Ordinal);
            Assert.Equal("Fail", (string?)hook["failurePolicy"]);
        });
    }
}
