using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.Namespaces;

/// <summary>Users who make namespaces from an admin's template.</summary>
[Collection(ClusterCollection.Name)]
public sealed class SelfServiceTests(ClusterLab lab)
{
    private const string Template = """
        apiVersion: supervisor.vks.dev/v1alpha1
        kind: SupervisorNamespaceTemplate
        metadata: { name: small }
        spec:
          allowed: [{ kind: User, name: dora }]
          maxPerUser: 1
          namespace:
            zones: [zone-1]
            limits: { cpu: 2, memory: 4Gi, pods: 5 }
            permissions: [{ kind: Group, name: auditors, role: view }]
        """;

    [Fact]
    public async Task A_user_gets_what_the_template_says_and_owns_it()
    {
        await OfferAsync();

        await lab.ApplyAsync(Ask("dora-1", "template: small, description: mine"), "dora");
        await lab.ReadyAsync("dora-1");

        Assert.Equal("dora zone-1 5", string.Join(' ', await SpecAsync("dora-1", "requestedBy"), await SpecAsync("dora-1", "zones[*]"), await SpecAsync("dora-1", "limits.pods")));
        Assert.Equal("auditors", await lab.FieldAsync("rolebinding/supervisor-view", ".subjects[*].name", "dora-1"));
        Assert.Equal("dora", await lab.FieldAsync("rolebinding/supervisor-owner", ".subjects[*].name", "dora-1"));
        Assert.Contains("which allows 1", (await lab.TryApplyAsync(Ask("dora-2", "template: small"), "dora")).StandardError, StringComparison.Ordinal);
        Assert.Contains("spec.requestedBy say how the namespace began", (await lab.TryKubectlAsync(null, "patch", "svns", "dora-1", "--type=merge", "-p", """{"spec":{"requestedBy":"x"}}""")).StandardError, StringComparison.Ordinal);

        // The owner removes it by herself.
        await lab.KubectlAsync("--as", "dora", "delete", "supervisornamespace", "dora-1", "--timeout=30s");
    }

    [Theory]
    [InlineData("template: small, limits: { cpu: 100 }", "leave out spec.limits")]
    [InlineData("template: small, adopt: true", "leave out spec.adopt")]
    [InlineData("template: large", "there is no SupervisorNamespaceTemplate large")]
    [InlineData("zones: [zone-1]", "may make namespaces from a template only")]
    public async Task A_user_cannot_ask_for_more(string spec, string words)
    {
        await OfferAsync();

        Assert.Contains(words, (await lab.TryApplyAsync(Ask("greedy", spec), "dora")).StandardError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_is_not_allowed_gets_nothing()
    {
        await OfferAsync();

        Assert.Contains("forbidden", (await lab.TryApplyAsync(Ask("stray", "template: small"), "stranger")).StandardError, StringComparison.OrdinalIgnoreCase);
    }

    private async Task OfferAsync()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Template);
        await lab.WaitAsync("clusterrolebinding/vks-self-service:small", ".subjects[*].name", "dora");
    }

    private Task<string> SpecAsync(string name, string field) => lab.FieldAsync($"supervisornamespace/{name}", $".spec.{field}");

    private static string Ask(string name, string spec) => $"{{ apiVersion: supervisor.vks.dev/v1alpha1, kind: SupervisorNamespace, metadata: {{ name: {name} }}, spec: {{ {spec} }} }}";
}
