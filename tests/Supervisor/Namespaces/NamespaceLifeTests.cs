using CliWrap.Buffered;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.Namespaces;

/// <summary>Namespaces with limits, zones and roles, as users meet them.</summary>
[Collection(ClusterCollection.Name)]
public sealed class NamespaceLifeTests(ClusterLab lab)
{
    [Fact]
    public async Task Roles_may_do_what_they_are_for_and_no_more()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Manifest("roles", "permissions: [{ kind: User, name: anna, role: view }, { kind: Group, name: makers, role: edit }, { kind: User, name: olga, role: owner }]"));
        await lab.ReadyAsync("roles");

        Assert.Equal("yes no no", await MayAsync("roles", ["--as", "anna"], "get pods", "create deployments.apps", "get secrets"));
        Assert.Equal("yes no", await MayAsync("roles", ["--as", "bert", "--as-group", "makers"], "create deployments.apps", "create rolebindings.rbac.authorization.k8s.io"));
        Assert.Equal("yes no", await MayAsync("roles", ["--as", "olga"], "create rolebindings.rbac.authorization.k8s.io", "update resourcequotas"));
        Assert.Equal("yes no no", await MayAsync("roles", ["--as", "olga"], "delete supervisornamespaces/roles", "update supervisornamespaces/roles", "delete supervisornamespaces/other"));
        Assert.Equal("no no yes", await MayAsync("roles", ["--as", "anna"], "delete supervisornamespaces/roles", "get zones.topology.tanzu.vmware.com -n default", "get zones.topology.tanzu.vmware.com"));
    }

    [Fact]
    public async Task What_a_namespace_uses_is_told_against_its_limits_and_beyond_them_the_quota_refuses()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Manifest("limited", "limits: { cpu: 4, memory: 8Gi, pods: 6, storage: 10Gi }"));
        await lab.ReadyAsync("limited");
        await lab.ApplyAsync(Deployment("limited", "web", 7));

        await lab.WaitAsync("supervisornamespace/limited", ".status.summary.pods", "6/6");

        // The seventh, in the quota's own words.
        await lab.UntilAsync(
            async () => (await lab.KubectlAsync("-n", "limited", "get", "events", "-o", "jsonpath={.items[*].message}")).Contains("exceeded quota: supervisor, requested: ", StringComparison.Ordinal),
            () => "no event tells that the quota is exceeded");
        Assert.Equal("crx", (await lab.FieldAsync("pods", ".items[0].spec.runtimeClassName", "limited")));
        Assert.Equal("50m", (await lab.FieldAsync("pods", ".items[0].spec.overhead.cpu", "limited")));

        // Six times half a CPU, and their machines, which upstream's quota counts from 1.21 on.
        await lab.WaitAsync("supervisornamespace/limited", ".status.summary.cpu", lab.Minor < 21 ? "3/4" : "3300m/4");
        string refused = (await lab.TryApplyAsync(Pod("limited", "huge", "cpu: 3960m"))).StandardError;
        Assert.Contains("maximum cpu usage per Pod is 3950m", refused, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Storage_is_limited_by_class_and_other_classes_are_closed()
    {
        await lab.UpAsync();
        foreach (string name in (string[])["fast", "slow"])
        {
            await lab.ApplyAsync($$"""{ apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: { name: {{name}} }, provisioner: example.com/none }""");
        }

        await lab.ApplyAsync(Manifest("stored", "storageClasses: [{ name: fast, limit: 5Gi }]"));
        await lab.ReadyAsync("stored");

        await lab.ApplyAsync(Claim("stored", "one", "fast", "4Gi"));
        Assert.Contains("exceeded quota", (await lab.TryApplyAsync(Claim("stored", "two", "fast", "2Gi"))).StandardError, StringComparison.Ordinal);
        Assert.Contains("slow.storageclass.storage.k8s.io", (await lab.TryApplyAsync(Claim("stored", "three", "slow", "1Gi"))).StandardError, StringComparison.Ordinal);
        await lab.ApplyAsync(Manifest("stored", "storageClasses: [{ name: none-such }]"));
        await lab.WaitAsync("supervisornamespace/stored", ".status.conditions[?(@.type==\"Ready\")].reason", "ClassMissing");
    }

    [Fact]
    public async Task What_somebody_changed_by_hand_is_put_right()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Manifest("kept", "limits: { pods: 3 }", "permissions: [{ kind: User, name: anna, role: view }]"));
        await lab.ReadyAsync("kept");

        await lab.KubectlAsync("-n", "kept", "patch", "resourcequota", "supervisor", "--type=merge", "-p", """{"spec":{"hard":{"pods":"99","services":"1"}}}""");
        await lab.KubectlAsync("-n", "kept", "delete", "limitrange", "supervisor");
        await lab.KubectlAsync("-n", "kept", "patch", "rolebinding", "supervisor-view", "--type=merge", "-p", """{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}]}""");
        await lab.KubectlAsync("-n", "kept", "delete", "rolebinding", "supervisor-edit");

        await lab.UntilAsync(
            async () => await lab.FieldAsync("resourcequota/supervisor", ".spec.hard.pods", "kept") == "3" && (await lab.FieldAsync("resourcequota/supervisor", ".spec.hard.services", "kept")).Length == 0,
            () => "the quota is not put right");
        await lab.WaitAsync("limitrange/supervisor", ".metadata.name", "supervisor", "kept");

        await lab.WaitAsync("rolebinding/supervisor-view", ".subjects[*].name", "anna", "kept");
        await lab.WaitAsync("rolebinding/supervisor-edit", ".roleRef.name", "edit", "kept");
    }

    [Fact]
    public async Task Removal_waits_for_what_runs_and_says_so()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Manifest("going"));
        await lab.ReadyAsync("going");
        await lab.ApplyAsync(Pod("going", "worker"));
        await lab.WaitAsync("pod/worker", ".status.phase", "Running", "going");

        await lab.KubectlAsync("delete", "supervisornamespace", "going", "--wait=false");
        await lab.WaitAsync("supervisornamespace/going", ".status.conditions[?(@.type==\"WorkloadsGone\")].reason", "WorkloadsRun");
        Assert.Contains("Removal waits for pod/worker", await lab.FieldAsync("supervisornamespace/going", ".status.conditions[?(@.type==\"WorkloadsGone\")].message"), StringComparison.Ordinal);
        Assert.Equal("Removing", await lab.FieldAsync("supervisornamespace/going", ".status.phase"));
        Assert.Equal("Running", await lab.FieldAsync("pod/worker", ".status.phase", "going"));

        await lab.KubectlAsync("-n", "going", "delete", "pod", "worker");
        await GoneAsync("going");
    }

    [Fact]
    public async Task Removal_takes_all_with_it_only_when_people_say_so()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Manifest("cleared", "removal: DeleteWorkloads"));
        await lab.ReadyAsync("cleared");
        await lab.ApplyAsync(Pod("cleared", "worker"));
        await lab.WaitAsync("pod/worker", ".status.phase", "Running", "cleared");

        await lab.KubectlAsync("delete", "supervisornamespace", "cleared", "--wait=false");

        await GoneAsync("cleared");
    }

    [Fact]
    public async Task A_namespace_that_was_there_is_taken_only_when_people_say_so_and_given_back()
    {
        await lab.UpAsync();
        await lab.KubectlAsync("create", "namespace", "older");
        await lab.ApplyAsync(Pod("older", "resident"));
        await lab.KubectlAsync("-n", "older", "create", "rolebinding", "supervisor-view", "--clusterrole=admin", "--user=mallory");
        await lab.ApplyAsync(Manifest("older"));
        await lab.WaitAsync("supervisornamespace/older", ".status.conditions[?(@.type==\"Ready\")].reason", "NotOurs");
        Assert.Equal("Error", await lab.FieldAsync("supervisornamespace/older", ".status.phase"));
        Assert.Equal("", await lab.FieldAsync("resourcequota/supervisor", ".metadata.name", "older"));

        await lab.ApplyAsync(Manifest("older", "adopt: true"));
        await lab.ReadyAsync("older");
        Assert.Equal("view", await lab.FieldAsync("rolebinding/supervisor-view", ".roleRef.name", "older"));
        await lab.KubectlAsync("delete", "supervisornamespace", "older", "--timeout=30s");

        Assert.Equal("", await lab.FieldAsync("resourcequota", ".items[*].metadata.name", "older"));
        Assert.Equal("resident", await lab.FieldAsync("pods", ".items[*].metadata.name", "older"));
        Assert.DoesNotContain("supervisor.vks.dev", await lab.FieldAsync("namespace/older", ".metadata"), StringComparison.Ordinal);
        await lab.KubectlAsync("delete", "namespace", "older");
    }

    [Fact]
    public async Task A_zone_that_is_given_up_stays_known_until_its_last_pod_is_gone()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(Manifest("moving", "zones: [zone-1]"));
        await lab.ReadyAsync("moving");
        await lab.ApplyAsync(Pod("moving", "settled"));
        await lab.WaitAsync("pod/settled", ".status.phase", "Running", "moving");

        await lab.ApplyAsync(Manifest("moving", "zones: [zone-2]"));
        await lab.WaitAsync("zone/zone-1", ".status.markedForRemoval", "true", "moving");
        Assert.Equal("Running", await lab.FieldAsync("pod/settled", ".status.phase", "moving"));
        await lab.KubectlAsync("-n", "moving", "delete", "pod", "settled");

        await lab.UntilAsync(async () => await lab.FieldAsync("zones", ".items[*].metadata.name", "moving") == "zone-2", () => "zone-1 is still there");
    }

    private async Task GoneAsync(string name)
    {
        await lab.UntilAsync(async () => (await lab.TryKubectlAsync(null, "get", "supervisornamespace", name)).ExitCode != 0, () => $"{name} is not gone");
        Assert.NotEqual(0, (await lab.TryKubectlAsync(null, "get", "namespace", name)).ExitCode);
        Assert.Equal("", await lab.KubectlAsync("get", "clusterroles,clusterrolebindings", "-o", "name", "-l", $"supervisor.vks.dev/namespace={name}"));
    }

    private async Task<string> MayAsync(string space, string[] who, params string[] what)
    {
        List<string> answers = [];
        foreach (string one in what)
        {
            BufferedCommandResult answer = await lab.TryKubectlAsync(null, ["-n", space, "auth", "can-i", .. one.Split(' '), .. who]);
            answers.Add(answer.StandardOutput.Trim());
        }

        return string.Join(' ', answers);
    }

    internal static string Manifest(string name, params string[] spec)
    {
        string[] lines = [.. spec, .. spec.Any(line => line.StartsWith("zones", StringComparison.Ordinal)) ? Array.Empty<string>() : ["zones: [zone-1, zone-2]"]];
        return $"apiVersion: supervisor.vks.dev/v1alpha1\nkind: SupervisorNamespace\nmetadata: {{ name: {name} }}\nspec:\n  {string.Join("\n  ", lines)}\n";
    }

    internal static string Pod(string space, string name, string limits = "cpu: 100m", string spec = "") => $$"""
        apiVersion: v1
        kind: Pod
        metadata: { name: {{name}}, namespace: {{space}} }
        spec:
          {{spec}}
          containers: [{ name: c, image: none, resources: { limits: { {{limits}} } } }]
        """;

    internal static string Deployment(string space, string name, int replicas) => $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: {{name}}, namespace: {{space}} }
        spec:
          replicas: {{replicas}}
          selector: { matchLabels: { app: {{name}} } }
          template:
            metadata: { labels: { app: {{name}} } }
            spec:
              containers: [{ name: c, image: none, resources: { limits: { cpu: 500m, memory: 256Mi } } }]
        """;

    private static string Claim(string space, string name, string storageClass, string size) => $$"""
        { apiVersion: v1, kind: PersistentVolumeClaim, metadata: { name: {{name}}, namespace: {{space}} },
          spec: { accessModes: [ReadWriteOnce], storageClassName: {{storageClass}}, resources: { requests: { storage: {{size}} } } } }
        """;
}
