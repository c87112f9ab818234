using CliWrap.Buffered;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.Kubernetes;

/// <summary>What the API server itself refuses of our kinds.</summary>
[Collection(ClusterCollection.Name)]
public sealed class SchemaTests(ClusterLab lab)
{
    private const string Namespace = "SupervisorNamespace";
    private const string Control = "Supervisor";
    private const string Template = "SupervisorNamespaceTemplate";
    private const string Net = "managementNetwork: { startingAddress: 10.0.0.10, prefixLength: 24 }";

    [Theory]
    [InlineData(Namespace, "{}", "spec.zones")]
    [InlineData(Namespace, "{ zones: [] }", "spec.zones")]
    [InlineData(Namespace, "{ zones: [a, b, c, d] }", "spec.zones")]
    [InlineData(Namespace, "{ zones: [a, a] }", "spec.zones[1]: Duplicate value")]
    [InlineData(Namespace, "{ zones: [Zone_1] }", "spec.zones")]
    [InlineData(Namespace, "{ zones: [a], limits: { cpu: much } }", "spec.limits.cpu")]
    [InlineData(Namespace, "{ zones: [a], limits: { memory: -1Gi } }", "spec.limits.memory")]
    [InlineData(Namespace, "{ zones: [a], limits: { pods: -1 } }", "spec.limits.pods")]
    [InlineData(Namespace, "{ zones: [a], defaults: { cpuLimit: x } }", "spec.defaults.cpuLimit")]
    [InlineData(Namespace, "{ zones: [a], storageClasses: [{ limit: 1Gi }] }", "spec.storageClasses.name")]
    [InlineData(Namespace, "{ zones: [a], storageClasses: [{ name: s }, { name: s }] }", "spec.storageClasses[1]: Duplicate value")]
    [InlineData(Namespace, "{ zones: [a], permissions: [{ kind: Robot, name: r, role: view }] }", "spec.permissions.kind")]
    [InlineData(Namespace, "{ zones: [a], permissions: [{ kind: User, name: r, role: king }] }", "spec.permissions.role")]
    [InlineData(Namespace, "{ zones: [a], permissions: [{ kind: User, name: '', role: view }] }", "spec.permissions.name")]
    [InlineData(Namespace, "{ zones: [a], permissions: [{ kind: User, name: r, role: view }, { kind: User, name: r, role: edit }] }", "spec.permissions[1]: Duplicate value")]
    [InlineData(Namespace, "{ zones: [a], removal: Sometimes }", "spec.removal")]
    [InlineData(Namespace, "{ zones: [a], vmClasses: [small, small] }", "spec.vmClasses[1]: Duplicate value")]
    [InlineData(Control, "{}", "spec.managementNetwork")]
    [InlineData(Control, "{ managementNetwork: { startingAddress: somewhere, prefixLength: 24 } }", "spec.managementNetwork")]
    [InlineData(Control, "{ managementNetwork: { startingAddress: 10.0.0.10, prefixLength: 0 } }", "spec.managementNetwork.prefixLength")]
    [InlineData(Control, "{ " + Net + ", controlPlane: { replicas: 2 } }", "spec.controlPlane.replicas")]
    [InlineData(Control, "{ " + Net + ", controlPlane: { size: huge } }", "spec.controlPlane.size")]
    [InlineData(Control, "{ " + Net + ", controlPlane: { version: newest } }", "spec.controlPlane.version")]
    [InlineData(Control, "{ " + Net + ", zones: [a, b] }", "spec")]
    [InlineData(Control, "{ " + Net + ", zones: [a, b, c], controlPlane: { replicas: 1 } }", "spec")]
    [InlineData(Control, "{ " + Net + ", zones: [a, b, c, d], controlPlane: { replicas: 3 } }", "spec.zones")]
    [InlineData(Control, "{ " + Net + ", oidc: { issuerURL: 'http://plain', clientID: x } }", "spec.oidc.issuerURL")]
    [InlineData(Control, "{ " + Net + ", oidc: { issuerURL: 'https://tls' } }", "spec.oidc.clientID")]
    [InlineData(Template, "{ allowed: [], namespace: { zones: [a] } }", "spec.allowed")]
    [InlineData(Template, "{ allowed: [{ kind: User, name: a }] }", "spec.namespace")]
    [InlineData(Template, "{ allowed: [{ kind: User, name: a }], namespace: {} }", "spec.namespace.zones")]
    [InlineData(Template, "{ allowed: [{ kind: User, name: a }], maxPerUser: 0, namespace: { zones: [a] } }", "spec.maxPerUser")]
    public async Task Rubbish_is_refused_by_the_name_of_the_field(string kind, string spec, string field)
    {
        await lab.UpAsync();

        BufferedCommandResult made = await lab.TryKubectlAsync($"---\n{{ apiVersion: supervisor.vks.dev/v1alpha1, kind: {kind}, metadata: {{ name: rubbish }}, spec: {spec} }}", "create", "--validate=false", "-f", "-");

        Assert.NotEqual(0, made.ExitCode);
        Assert.Contains("is invalid", made.StandardError, StringComparison.Ordinal);
        Assert.Contains(field, made.StandardError, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("supervisor.vks.dev", Namespace, "Some.Name", "{ zones: [a] }", "metadata.name")]
    [InlineData("topology.tanzu.vmware.com", "AvailabilityZone", "z", "{ purpose: Fun }", "spec.purpose")]
    [InlineData("topology.tanzu.vmware.com", "Zone", "z", "{}", "spec.availabilityZoneReference")]
    [InlineData("supervisor.vks.dev", "Host", "h", "{ maintenanceMode: perhaps }", "spec.maintenanceMode")]
    public async Task So_is_rubbish_of_the_other_kinds(string group, string kind, string name, string spec, string field)
    {
        await lab.UpAsync();

        BufferedCommandResult made = await lab.TryKubectlAsync($"---\n{{ apiVersion: {group}/v1alpha1, kind: {kind}, metadata: {{ name: {name} }}, spec: {spec} }}", "create", "--validate=false", "-f", "-");

        Assert.NotEqual(0, made.ExitCode);
        Assert.Contains(field, made.StandardError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whole_numbers_are_quantities_and_defaults_are_filled_in()
    {
        await lab.UpAsync();
        await lab.ApplyAsync($"{{ apiVersion: supervisor.vks.dev/v1alpha1, kind: Supervisor, metadata: {{ name: defaults }}, spec: {{ {Net} }} }}");

        Assert.Equal("1 small", await lab.FieldAsync("supervisor/defaults", ".spec.controlPlane.replicas") + " " + await lab.FieldAsync("supervisor/defaults", ".spec.controlPlane.size"));
        await lab.KubectlAsync("delete", "supervisor", "defaults");
    }
}
