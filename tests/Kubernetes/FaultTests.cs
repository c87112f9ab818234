using System.Globalization;
using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>Programs of a node and machines that die: pods go on, or come anew, and never twice.</summary>
[Collection(KubernetesCollection.Name)]
public sealed class FaultTests(KubernetesLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pods_go_on_when_spherelet_and_kubelet_are_killed_and_started_again()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("stays", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done", "nodeName: node-1");
        await space.ReadyAsync("stays");
        string before = await space.FieldAsync("pod/stays", ".status.containerStatuses[0].containerID");

        await lab.KillAndStartAsync("node-1", "spherelet");
        await lab.KillAndStartAsync("node-1", "kubelet");
        await space.PodAsync("next", "sleep 1000", "nodeName: node-1");
        await space.ReadyAsync("stays", "next");

        Assert.Equal((before, "0"), (await space.FieldAsync("pod/stays", ".status.containerStatuses[0].containerID"), await space.FieldAsync("pod/stays", ".status.containerStatuses[0].restartCount")));
        int[] numbers = [.. (await space.KubectlAsync("logs", "stays")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line, CultureInfo.InvariantCulture))];
        Assert.Equal(Enumerable.Range(1, numbers.Length), numbers);
    }

    [Fact]
    public async Task A_pod_whose_machine_is_killed_runs_again_in_a_new_one()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("again", "sleep 1000", "nodeName: node-2");
        await space.ReadyAsync("again");
        string boot = await space.ExecAsync("again", "cat /proc/sys/kernel/random/boot_id");
        string sandbox = (await lab.OnHostAsync("node-2", "sh", "-c", $"grep -l '\"{space.Name}\"' /var/lib/vks/pods/*/pod.json")).Trim().Split('/')[^2];

        await lab.OnHostAsync("node-2", "sh", "-c", $"kill -9 $(pgrep -f '[g]uest=.*{sandbox}')");
        await space.WaitAsync("pod/again", ".status.containerStatuses[0].restartCount", "1");
        await space.ReadyAsync("again");

        Assert.NotEqual(boot, await space.ExecAsync("again", "cat /proc/sys/kernel/random/boot_id"));

        // The kubelet keeps the old sandbox with its container's log for --previous, but nothing of it runs.
        Assert.Equal("0", (await lab.OnHostAsync("node-2", "sh", "-c", $"pgrep -f '[g]uest=.*{sandbox}' | wc -l")).Trim());
    }

    [Fact]
    public async Task A_pod_whose_machine_is_frozen_is_deleted_all_the_same()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("frozen", "sleep 1000", "nodeName: node-1");
        await space.ReadyAsync("frozen");
        string sandbox = (await lab.OnHostAsync("node-1", "sh", "-c", $"grep -l '\"{space.Name}\"' /var/lib/vks/pods/*/pod.json")).Trim().Split('/')[^2];

        await lab.OnHostAsync("node-1", "sh", "-c", $"kill -STOP $(pgrep -f '[g]uest=.*{sandbox}')");
        await space.KubectlAsync("delete", "pod", "frozen", "--wait=false");

        // Its container is given up after 12 s and its machine ended after 28; a kubelet of 1.20 then keeps the object until it next
        // collects what is dead, each minute, and tells the API server each ten seconds.
        await Eventually.TrueAsync(
            async () => (await lab.TryKubectlAsync(null, "-n", space.Name, "get", "pod", "frozen")).ExitCode != 0, TimeSpan.FromSeconds(120), lab.Logs, Token);
    }

    [Fact]
    public async Task A_full_disk_evicts_pods_and_the_node_takes_new_ones_when_there_is_room_again()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("first", "sleep 1000", "nodeName: node-2");
        await space.ReadyAsync("first");
        try
        {
            await lab.OnHostAsync("node-2", "sh", "-c", "dd if=/dev/zero of=/var/lib/vks/filler bs=1M 2>/dev/null || true");
            await space.WaitAsync("node/node-2", ".status.conditions[?(@.type==\"DiskPressure\")].status", "True", TimeSpan.FromSeconds(90));
            await space.WaitAsync("pod/first", ".status.reason", "Evicted", TimeSpan.FromSeconds(90));

            // Read at once: a kubelet of 1.20 may write the status anew without the words later.
            Assert.Contains("low on resource", await space.FieldAsync("pod/first", ".status.message"), StringComparison.Ordinal);
            await space.PodAsync("refused", "sleep 1000", "nodeName: node-2");
            await space.WaitAsync("pod/refused", ".status.reason", "Evicted");
        }
        finally
        {
            await lab.OnHostAsync("node-2", "rm", "/var/lib/vks/filler");
        }

        await space.WaitAsync("node/node-2", ".status.conditions[?(@.type==\"DiskPressure\")].status", "False", TimeSpan.FromSeconds(90));
        await space.PodAsync("second", "sleep 1000", "nodeName: node-2");
        await space.ReadyAsync("second");
    }

    [Fact]
    public async Task A_static_pod_runs_while_its_file_is_there()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        string folder = (await lab.OnHostAsync("node-1", "sh", "-c", "sed -n 's/^staticPodPath: *//p' /var/lib/kubelet/config.yaml")).Trim().Trim('"');
        Assert.NotEmpty(folder);
        string manifest = $"apiVersion: v1\nkind: Pod\nmetadata: {{ name: still, namespace: {space.Name} }}\nspec: {{ terminationGracePeriodSeconds: 0, containers: [ {{ name: c, image: {lab.Image}, command: [sleep, \"1000\"] }} ] }}\n";
        await lab.OnHostAsync("node-1", "sh", "-c", $"mkdir -p {folder} && printf '%s' '{manifest}' > {folder}/still.yaml");
        try
        {
            await space.ReadyAsync("still-node-1");
        }
        finally
        {
            await lab.OnHostAsync("node-1", "rm", $"{folder}/still.yaml");
        }

        await Eventually.TrueAsync(
            async () => (await lab.TryKubectlAsync(null, "-n", space.Name, "get", "pod", "still-node-1")).ExitCode != 0, TimeSpan.FromSeconds(60), lab.Logs, Token);
    }
}
