using CliWrap.Buffered;
using Vks.Tests.Kit;
using Vks.Tests.Supervisor.Namespaces;

namespace Vks.Tests.Supervisor;

/// <summary>What people see of the Supervisor's kinds.</summary>
[Collection(ClusterCollection.Name)]
public sealed class InstallTests(ClusterLab lab)
{
    [Fact]
    public async Task Installing_again_changes_nothing()
    {
        await lab.UpAsync();

        string[] lines = (await lab.RunVerbAsync("install", "--kubeconfig", lab.AdminConfig)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.True(lines.Length > 10);
        Assert.All(lines, line => Assert.EndsWith("unchanged", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Kubectl_shows_supervisors_zones_hosts_and_namespaces_in_useful_columns()
    {
        await lab.UpAsync();
        await lab.ApplyAsync("""
            apiVersion: supervisor.vks.dev/v1alpha1
            kind: Supervisor
            metadata: { name: shown }
            spec:
              zones: [zone-1, zone-2, zone-3]
              controlPlane: { replicas: 3, size: tiny }
              managementNetwork: { startingAddress: 10.0.0.10, prefixLength: 24 }
            """);
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("shown", "limits: { cpu: 4, memory: 8Gi, pods: 6 }"));
        await lab.ReadyAsync("shown");
        await lab.WaitAsync("supervisor/shown", ".status.phase", "Configuring");

        string shown = await lab.KubectlAsync("get", "supervisor,zones,hosts,supervisornamespaces", "-A");
        string all = await lab.KubectlAsync("get", "vks", "-A");

        Assert.Matches(@"supervisor\.supervisor\.vks\.dev/shown +Configuring +0/3 +tiny +10\.0\.0\.13 +False", shown);
        Assert.Matches(@"shown +zone\.topology\.tanzu\.vmware\.com/zone-1 +zone-1 +2/2 +0 +True", shown);
        Assert.Matches(@"host\.supervisor\.vks\.dev/host-1a +zone-1 +Ready +\S+/4 +\S+/16Gi +\d+/110 +64Mi +True", shown);
        Assert.Matches(@"supervisornamespace\.supervisor\.vks\.dev/shown +Running +zone-1,zone-2 +0/4 +0/8Gi +0/6 +True", shown);
        Assert.Matches(@"availabilityzone\.topology\.tanzu\.vmware\.com/zone-3 +Combined +2/2 +\d+ +True", all);
        await lab.KubectlAsync("delete", "supervisor,svns", "shown");
    }

    [Fact]
    public async Task Status_is_one_screen_and_names_what_is_wrong()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("nowhere", "zones: [zone-9]"));
        await lab.WaitAsync("supervisornamespace/nowhere", ".status.conditions[?(@.type==\"Ready\")].status", "False");

        string screen = await lab.RunVerbAsync("status", "--kubeconfig", lab.AdminConfig);

        Assert.Contains("leader main, renewed ", screen, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^host-2b +zone-2 +Ready ", screen);
        Assert.Contains("namespace nowhere: ZoneNotReady: ZonesReady: zone-9 is unknown: no Node has the label topology.kubernetes.io/zone=zone-9", screen, StringComparison.Ordinal);
        await lab.KubectlAsync("delete", "svns", "nowhere");
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told_in_one_line()
    {
        string config = Path.GetTempFileName();
        await File.WriteAllTextAsync(config, "{ apiVersion: v1, kind: Config, clusters: [{ name: a, cluster: { server: 'http://127.0.0.1:1' } }], users: [{ name: a, user: { token: none } }], contexts: [{ name: a, context: { cluster: a, user: a } }], current-context: a }", TestContext.Current.CancellationToken);

        BufferedCommandResult status = await ClusterLab.TryVerbAsync("status", "--kubeconfig", config);
        BufferedCommandResult missing = await ClusterLab.TryVerbAsync("status", "--kubeconfig", "/none/such");

        Assert.Equal(1, status.ExitCode);
        Assert.Matches(@"^supervisor: GET http://127\.0\.0\.1:1/\S+: Connection refused[^\n]*\n$", status.StandardError);
        Assert.Equal(78, missing.ExitCode);
        Assert.Contains("/none/such", missing.StandardError, StringComparison.Ordinal);
        File.Delete(config);
    }
}
