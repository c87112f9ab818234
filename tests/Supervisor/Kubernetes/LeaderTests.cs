using System.Diagnostics;
using k8s.Models;
using Vks.Supervisor.Namespaces;
using Vks.Tests.Kit;
using Vks.Tests.Supervisor.Namespaces;

namespace Vks.Tests.Supervisor.Kubernetes;

/// <summary>Supervisors that are killed, wherever they are.</summary>
[Collection(ClusterCollection.Name)]
public sealed class LeaderTests(ClusterLab lab, ITestOutputHelper output)
{
    [Fact]
    public async Task A_second_supervisor_takes_over_within_seconds_of_the_firsts_death()
    {
        await lab.UpAsync();
        await using LabProcess second = lab.NewSupervisor("second", lab.SupervisorConfig, $"127.0.0.1:{ClusterLab.FreePort()}");
        await lab.UntilAsync(() => Task.FromResult(second.Log.Contains("as second", StringComparison.Ordinal)), () => second.Tail());
        await lab.ApplyAsync(NamespaceLifeTests.Manifest("inherited"));
        await lab.ReadyAsync("inherited");

        await lab.Supervisor!.KillAsync();
        long killed = Stopwatch.GetTimestamp();
        await lab.KubectlAsync("-n", "inherited", "delete", "limitrange", "supervisor");

        await lab.WaitAsync("limitrange/supervisor", ".metadata.name", "supervisor", "inherited");
        Assert.True(Stopwatch.GetElapsedTime(killed) < TimeSpan.FromSeconds(15), $"{Stopwatch.GetElapsedTime(killed)}");
        Assert.Contains("second leads", second.Log, StringComparison.Ordinal);

        // One that ends in order is followed at once.
        await second.StopAsync();
        Assert.Contains("second no longer leads", second.Log, StringComparison.Ordinal);
        Assert.Equal("", await lab.FieldAsync("lease/supervisor", ".spec.holderIdentity", "vks-system"));
    }

    [Fact]
    public async Task A_namespaces_life_survives_a_kill_of_the_leader_in_every_phase()
    {
        await lab.UpAsync();
        await lab.StopSupervisorAsync();
        await using WriteGate gate = await WriteGate.OpenAsync(lab.Server, lab.Folder, "mortal");

        // Made first, while a Supervisor is there to be asked; the kills begin with what it does next.
        List<string> life = await KillThroughAsync(
            gate,
            () => lab.ApplyAsync(NamespaceLifeTests.Manifest("mortal", "limits: { cpu: 4, pods: 6 }", "permissions: [{ kind: User, name: anna, role: view }]")),
            async () => (await FindAsync<SupervisorNamespace>())?.Status?.Conditions?.Any(static condition => condition is { Type: "Ready", Status: "True" }) == true);
        Assert.Equal("6", await lab.FieldAsync("resourcequota/supervisor", ".spec.hard.pods", "mortal"));
        Assert.Equal("supervisor-edit supervisor-owner supervisor-view", await lab.FieldAsync("rolebindings", ".items[*].metadata.name", "mortal"));

        await using WriteGate second = await WriteGate.OpenAsync(lab.Server, lab.Folder, "mortal");
        List<string> removal = await KillThroughAsync(
            second,
            () => lab.KubectlAsync("delete", "supervisornamespace", "mortal", "--wait=false"),
            async () => await FindAsync<SupervisorNamespace>() is null);
        Assert.Null(await FindAsync<V1Namespace>());
        Assert.Equal("", await lab.KubectlAsync("get", "clusterroles,clusterrolebindings", "-o", "name", "-l", "supervisor.vks.dev/namespace=mortal"));

        // Every phase was hit: finalizer, namespace, zones, limits, permissions, status; freeze, namespace, permissions, finalizer.
        output.WriteLine($"{string.Join(", ", life)}; {string.Join(", ", removal)}");
        string[] made = ["POST namespaces", "POST resourcequotas", "POST limitranges", "POST rolebindings", "POST clusterroles", "POST clusterrolebindings", "POST zones"];
        Assert.Empty(made.Except(life));
        Assert.Contains(life, static kind => kind.EndsWith(" supervisornamespaces", StringComparison.Ordinal));
        Assert.Contains(life, static kind => kind.EndsWith(" supervisornamespaces/status", StringComparison.Ordinal));
        string[] removed = ["POST resourcequotas", "PATCH supervisornamespaces", "DELETE namespaces", "DELETE clusterroles", "DELETE clusterrolebindings"];
        Assert.Empty(removed.Except(removal));
    }

    private Task<T?> FindAsync<T>()
        where T : class => lab.Api.FindAsync<T>(null, "mortal", TestContext.Current.CancellationToken);

    // Each Supervisor is killed at its first write of a kind that none was killed at yet, after the server has done it; every third one before.
    private async Task<List<string>> KillThroughAsync(WriteGate gate, Func<Task> begin, Func<Task<bool>> done)
    {
        List<string> writes = [];
        bool begun = false;
        while (true)
        {
            Task<string> held = gate.HoldNew(after: writes.Count % 3 != 2);
            await using LabProcess mortal = lab.NewSupervisor("mortal", gate.Kubeconfig, lab.ServiceAddress);
            if (!begun)
            {
                await lab.UntilAsync(() => Task.FromResult(mortal.HasEnded || ClusterLab.CanConnect(lab.ServiceAddress)), () => mortal.Tail());
                await begin();
                begun = true;
            }

            await lab.UntilAsync(async () => held.IsCompleted || mortal.HasEnded || await done(), () => mortal.Tail());
            Assert.False(mortal.HasEnded, mortal.Tail());
            bool wrote = held.IsCompleted;
            await mortal.KillAsync();
            gate.Release();
            if (!wrote)
            {
                return writes;
            }

            writes.Add(await held);
        }
    }
}
