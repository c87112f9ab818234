using CliWrap.Buffered;
using Vks.Supervisor.Placement;
using Vks.Tests.Kit;
using Vks.Tests.Supervisor.Namespaces;

namespace Vks.Tests.Supervisor.Placement;

/// <summary>Where upstream's scheduler puts pods with our placement service beside it.</summary>
[Collection(ClusterCollection.Name)]
public sealed class PlacementTests(ClusterLab lab)
{
    [Fact]
    public async Task A_deployment_of_six_lands_three_and_three_in_its_two_zones_and_never_in_the_third()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("spread"));
        await lab.ReadyAsync("spread");

        await lab.ApplyAsync(NamespaceLifeTests.Deployment("spread", "web", 6));

        await lab.UntilAsync(async () => (await HostsAsync("spread")).Length == 6, () => "not all six run");
        Assert.Equal(["1", "1", "1", "2", "2", "2"], (await HostsAsync("spread")).Select(host => host[5..6]).Order());
        await lab.WaitAsync("supervisornamespace/spread", ".status.zones[*].pods", "3 3");
        await lab.WaitAsync("zone/zone-1", ".status.pods", "3", "spread");
    }

    [Fact]
    public async Task The_decision_is_on_the_pod_and_explain_prints_it()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("told", "zones: [zone-2]"));
        await lab.ReadyAsync("told");
        await lab.ApplyAsync(NamespaceLifeTests.Pod("told", "one", spec: "nodeSelector: { kubernetes.io/hostname: host-2b }"));
        await lab.WaitAsync("pod/one", ".spec.nodeName", "host-2b", "told");

        PlacementRecord record = PlacementRecord.Read(await lab.FieldAsync("pod/one", ".metadata.annotations.supervisor\\.vks\\.dev/placement", "told"))!;
        string table = await lab.RunVerbAsync("explain", "pod", "one", "-n", "told", "--kubeconfig", lab.AdminConfig);

        Assert.Equal(("host-2b", "zone-2"), (record.Host, record.Zone));
        Assert.Equal("host-2b", Assert.Single(record.Candidates).Host);
        Assert.Contains(record.Removed, host => host is { Host: "host-1a", Filter: "zones", Reason: "is in zone-1; the namespace has zone-2" });
        Assert.Contains(record.Removed, host => host is { Host: "host-2a", Filter: "kube-scheduler", Reason: "the pod selects kubernetes.io/hostname=host-2b" });
        Assert.Contains("Pod told/one is on host-2b in zone-2", table, StringComparison.Ordinal);
        Assert.Contains("the pod selects kubernetes.io/hostname=host-2b", table, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_that_no_host_of_its_zones_can_take_waits_and_says_why()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("waiting", "zones: [zone-3]"));
        await lab.ReadyAsync("waiting");

        await lab.ApplyAsync(NamespaceLifeTests.Pod("waiting", "elsewhere", spec: "nodeSelector: { kubernetes.io/hostname: host-1a }"));
        await lab.ApplyAsync(NamespaceLifeTests.Pod("waiting", "huge", "cpu: 3970m"));

        await lab.UntilAsync(async () => (await lab.FieldAsync("pod/elsewhere", ".status.conditions[*].message", "waiting")).Contains("supervisor zones: is in zone-1", StringComparison.Ordinal), () => "the event does not tell the zone");
        string explained = await lab.RunVerbAsync("explain", "pod", "elsewhere", "-n", "waiting", "--kubeconfig", lab.AdminConfig);
        Assert.Contains("waits for a host", explained, StringComparison.Ordinal);
        Assert.Contains("is in zone-1; the namespace has zone-3", explained, StringComparison.Ordinal);

        // Upstream's own rules leave no host here, so that nobody asks us.
        await lab.UntilAsync(async () => (await lab.FieldAsync("pod/huge", ".status.conditions[*].message", "waiting")).Contains("Insufficient cpu", StringComparison.Ordinal), () => "no host is too small");
        explained = await lab.RunVerbAsync("explain", "pod", "huge", "-n", "waiting", "--kubeconfig", lab.AdminConfig);
        Assert.Contains("not enough CPU: ", explained, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Neither_a_node_by_name_nor_another_schedulers_binding_leads_out_of_the_zones()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("fenced", "zones: [zone-1]"));
        await lab.ReadyAsync("fenced");
        await lab.ApplyAsync(NamespaceLifeTests.Pod("fenced", "inside", spec: "nodeName: host-1b"));
        await lab.ApplyAsync(NamespaceLifeTests.Pod("fenced", "foreign", spec: "schedulerName: another"));

        BufferedCommandResult outside = await lab.TryApplyAsync(NamespaceLifeTests.Pod("fenced", "outside", spec: "nodeName: host-2a"));
        BufferedCommandResult bound = await lab.TryKubectlAsync(
            """{ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "foreign" }, "target": { "apiVersion": "v1", "kind": "Node", "name": "host-3a" } }""",
            "create", "--raw", "/api/v1/namespaces/fenced/pods/foreign/binding", "-f", "-");

        Assert.Contains("the node host-2a is in zone zone-2; pods of fenced run in zone-1", outside.StandardError, StringComparison.Ordinal);
        Assert.Contains("the node host-3a is in zone zone-3; pods of fenced run in zone-1", bound.StandardError, StringComparison.Ordinal);
        await lab.WaitAsync("pod/inside", ".status.phase", "Running", "fenced");
    }

    [Fact]
    public async Task A_host_in_maintenance_gets_no_new_pods()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("serviced", "zones: [zone-3]"));
        await lab.ReadyAsync("serviced");
        await lab.KubectlAsync("patch", "host", "host-3a", "--type=merge", "-p", """{"spec":{"maintenanceMode":true}}""");
        await lab.WaitAsync("host/host-3a", ".status.phase", "Maintenance");
        try
        {
            await lab.ApplyAsync(NamespaceLifeTests.Deployment("serviced", "web", 3));

            await lab.UntilAsync(async () => (await HostsAsync("serviced")).Length == 3, () => "not all three run");
            Assert.All(await HostsAsync("serviced"), host => Assert.Equal("host-3b", host));
        }
        finally
        {
            await lab.KubectlAsync("patch", "host", "host-3a", "--type=merge", "-p", """{"spec":{"maintenanceMode":false}}""");
        }
    }

    [Fact]
    public async Task Without_a_supervisor_pods_wait_and_are_placed_once_it_is_back()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("alone"));
        await lab.ReadyAsync("alone");
        await lab.StopSupervisorAsync();

        BufferedCommandResult refused = await lab.TryApplyAsync(NamespaceLifeTests.Pod("alone", "early"));
        await lab.ApplyAsync(NamespaceLifeTests.Pod("default", "other"));
        Assert.Contains("pods.supervisor.vks.dev", refused.StandardError, StringComparison.Ordinal);
        await lab.StartSupervisorAsync();

        await lab.ApplyAsync(NamespaceLifeTests.Pod("alone", "early"));
        await lab.UntilAsync(async () => (await HostsAsync("alone")).Length == 1, () => "the pod is not placed");

        // Upstream looks again at what waits when a node changes, or after a minute.
        await lab.KubectlAsync("label", "node", "host-1a", "look=again");
        await lab.WaitAsync("pod/other", ".status.phase", "Running");
        await lab.KubectlAsync("delete", "pod", "other");
    }

    private async Task<string[]> HostsAsync(string space) =>
        (await lab.FieldAsync("pods", ".items[*].spec.nodeName", space)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
