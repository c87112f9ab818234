using System.Globalization;
using Vks.Tests.Kit;

namespace Vks.Tests.Kubernetes;

/// <summary>What a pod costs, as its host measures it and says it on its Node.</summary>
[Collection(KubernetesCollection.Name)]
public sealed class OverheadTests(KubernetesLab lab)
{
    [Fact]
    public async Task A_node_says_what_a_pod_costs_beside_what_runs_in_it()
    {
        await using KubernetesNamespace space = await lab.NewNamespaceAsync();
        await space.PodAsync("idle", "sleep 1000", "nodeName: node-1");
        await space.ReadyAsync("idle");

        string memory = "";
        await Eventually.TrueAsync(
            async () => (memory = await space.FieldAsync("node/node-1", ".metadata.annotations.vks\\.dev/pod-overhead-memory")).Length > 0,
            TimeSpan.FromSeconds(120), lab.Logs, TestContext.Current.CancellationToken);

        // QEMU and the guest's kernel are never less; more than this and something is wrong with the measuring.
        Assert.EndsWith("Mi", memory, StringComparison.Ordinal);
        Assert.InRange(int.Parse(memory[..^2], CultureInfo.InvariantCulture), 24, 512);
        Assert.EndsWith("m", await space.FieldAsync("node/node-1", ".metadata.annotations.vks\\.dev/pod-overhead-cpu"), StringComparison.Ordinal);
    }
}
