using Vks.Tests.Kit;
using Vks.Tests.Supervisor.Namespaces;

namespace Vks.Tests.Supervisor.Zones;

/// <summary>Hosts and zones that are lost and come back.</summary>
[Collection(ClusterCollection.Name)]
public sealed class ZoneTests(ClusterLab lab)
{
    [Fact]
    public async Task A_host_that_is_lost_is_told_and_so_is_its_return()
    {
        await lab.UpAsync();
        await lab.WaitAsync("host/host-1a", ".status.phase", "Ready");

        await lab.KubectlAsync("delete", "node", "host-1a");
        await lab.WaitAsync("host/host-1a", ".status.phase", "Lost");
        await lab.WaitAsync("az/zone-1", ".status.conditions[?(@.type==\"HostsReady\")].message", "host-1a (Lost)");
        Assert.Equal("1/2", await lab.FieldAsync("az/zone-1", ".status.readyHosts"));
        Assert.Equal("True", await lab.FieldAsync("az/zone-1", ".status.conditions[?(@.type==\"Ready\")].status"));
        await lab.MakeNodeAsync("host-1a");

        await lab.WaitAsync("host/host-1a", ".status.phase", "Ready");
        await lab.WaitAsync("az/zone-1", ".status.conditions[?(@.type==\"HostsReady\")].status", "True");
        string events = await lab.KubectlAsync("get", "events", "--field-selector", "involvedObject.name=host-1a,involvedObject.kind=Host", "-o", "jsonpath={.items[*].reason}");
        Assert.Contains("HostLost", events, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_zone_that_is_lost_shows_in_every_namespace_that_has_it()
    {
        await lab.UpAsync();
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("stranded", "zones: [zone-2, zone-3]"));
        await lab.ReadyAsync("stranded");

        await lab.ReportNodeAsync("host-3a", "False");
        await lab.ReportNodeAsync("host-3b", "Unknown");
        await lab.WaitAsync("az/zone-3", ".status.conditions[?(@.type==\"Ready\")].reason", "ZoneLost");
        await lab.WaitAsync("supervisornamespace/stranded", ".status.conditions[?(@.type==\"ZonesReady\")].message", "zone-3 has no ready host (0/2)");
        Assert.Equal("Running", await lab.FieldAsync("supervisornamespace/stranded", ".status.phase"));
        await lab.ReportNodeAsync("host-3a", "True");
        await lab.ReportNodeAsync("host-3b", "True");

        await lab.ReadyAsync("stranded");
        await lab.WaitAsync("az/zone-3", ".status.readyHosts", "2/2");
    }

    [Fact]
    public async Task A_zone_for_the_control_plane_takes_no_pods()
    {
        await lab.UpAsync();
        await lab.MakeNodeAsync("host-4a");
        await lab.WaitAsync("az/zone-4", ".status.readyHosts", "1/1");
        await lab.KubectlAsync("patch", "az", "zone-4", "--type=merge", "-p", """{"spec":{"purpose":"Management"}}""");

        await lab.ApplyAsync(NamespaceLifeTests.Manifest("upstairs", "zones: [zone-4]"));
        await lab.WaitAsync("supervisornamespace/upstairs", ".status.conditions[?(@.type==\"ZonesReady\")].message", "zone-4 is for the control plane only");
        await lab.WaitAsync("az/zone-4", ".status.conditions[?(@.type==\"PurposeKept\")].reason", "ManagementOnly");
        await lab.UntilAsync(async () => (await lab.TryApplyAsync(NamespaceLifeTests.Pod("upstairs", "one"))).ExitCode == 0, () => "no pod can be made");
        await lab.UntilAsync(async () => (await lab.FieldAsync("pod/one", ".status.conditions[*].message", "upstairs")).Contains("zone-4 is for the control plane only", StringComparison.Ordinal), () => "the pod does not say why it waits");

        // A zone without hosts and namespaces goes by itself.
        await lab.KubectlAsync("-n", "upstairs", "delete", "pod", "one");
        await lab.KubectlAsync("delete", "svns", "upstairs", "--timeout=30s");
        await lab.KubectlAsync("delete", "node", "host-4a");
        await lab.WaitAsync("host/host-4a", ".status.phase", "Lost");
        await lab.KubectlAsync("delete", "host", "host-4a");
        await lab.UntilAsync(async () => (await lab.TryKubectlAsync(null, "get", "az", "zone-4")).ExitCode != 0, () => "zone-4 is still there");
    }

    [Fact]
    public async Task What_a_host_measures_counts_in_the_classes_of_pods_and_in_placement()
    {
        await lab.UpAsync();
        await lab.WaitAsync("runtimeclass/crx", ".overhead.podFixed.memory", "64Mi");

        await lab.KubectlAsync("annotate", "node", "host-2a", "vks.dev/pod-overhead-memory=100Mi", "vks.dev/pod-overhead-cpu=70m");

        await lab.WaitAsync("runtimeclass/crx", ".overhead.podFixed.memory", "112Mi");
        await lab.WaitAsync("host/host-2a", ".status.overhead.source", "Measured");
        await lab.KubectlAsync("annotate", "node", "host-2a", "vks.dev/pod-overhead-memory-", "vks.dev/pod-overhead-cpu-");
        await lab.WaitAsync("runtimeclass/crx", ".overhead.podFixed.memory", "64Mi");
    }
}
