using System.Diagnostics;
using Vks.Tests.Kit;
using Vks.Tests.Supervisor.Namespaces;

namespace Vks.Tests.Supervisor.Kubernetes;

/// <summary>Supervisors that are killed, wherever they are.</summary>
[Collection(ClusterCollection.Name)]
public sealed class LeaderTests(ClusterLab lab)
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

    // Some thirty processes one after another: more than the usual run has time for.
    [Fact(Explicit = true)]
    public async Task A_namespaces_life_survives_a_kill_at_every_write()
    {
        await lab.UpAsync();
        await lab.StopSupervisorAsync();
        await using WriteGate gate = await WriteGate.OpenAsync(lab.Server, lab.Folder, "mortal");

        // Made first, while a Supervisor is there to be asked; the kills begin with what it does next.
        List<string> life = await KillThroughAsync(gate, () => lab.ApplyAsync(NamespaceLifeTests.Manifest(
            "mortal", "limits: { cpu: 4, pods: 6 }", "permissions: [{ kind: User, name: anna, role: view }]")));
        await lab.StartSupervisorAsync();
        await lab.ReadyAsync("mortal");
        Assert.Equal("6", await lab.FieldAsync("resourcequota/supervisor", ".spec.hard.pods", "mortal"));
        Assert.Equal("supervisor-edit supervisor-owner supervisor-view", await lab.FieldAsync("rolebindings", ".items[*].metadata.name", "mortal"));
        await lab.StopSupervisorAsync();

        List<string> removal = await KillThroughAsync(gate, () => lab.KubectlAsync("delete", "supervisornamespace", "mortal", "--wait=false"));
        await lab.StartSupervisorAsync();
        await lab.UntilAsync(async () => (await lab.TryKubectlAsync(null, "get", "supervisornamespace", "mortal")).ExitCode != 0, () => "it is not gone");
        Assert.NotEqual(0, (await lab.TryKubectlAsync(null, "get", "namespace", "mortal")).ExitCode);
        Assert.Equal("", await lab.KubectlAsync("get", "clusterroles,clusterrolebindings", "-o", "name", "-l", "supervisor.vks.dev/namespace=mortal"));

        // Every phase was hit: finalizer, namespace, zones, limits, permissions, status; freeze, namespace, permissions, finalizer.
        Assert.True(life.Count >= 10, string.Join('\n', life));
        Assert.True(removal.Count >= 5, string.Join('\n', removal));
    }

    // Each Supervisor is killed at its first write, after the server has done it; every third one also before.
    private async Task<List<string>> KillThroughAsync(WriteGate gate, Func<Task> begin)
    {
        List<string> writes = [];
        bool begun = false;
        while (true)
        {
            Task<string> held = gate.HoldNext(after: writes.Count % 3 != 2);
            LabProcess mortal = lab.NewSupervisor("mortal", gate.Kubeconfig, lab.ServiceAddress);
            await lab.UntilAsync(() => Task.FromResult(mortal.Log.Contains("mortal leads", StringComparison.Ordinal) || held.IsCompleted || mortal.HasEnded), () => mortal.Tail());
            Assert.False(mortal.HasEnded, mortal.Tail());
            if (!begun)
            {
                await lab.UntilAsync(() => Task.FromResult(ClusterLab.CanConnect(lab.ServiceAddress)), () => mortal.Tail());
                await begin();
                begun = true;
            }

            // Once it serves it has seen everything; one that then finds nothing to do for a while has nothing to do.
            await lab.UntilAsync(() => Task.FromResult(held.IsCompleted || ClusterLab.CanConnect(lab.ServiceAddress)), () => mortal.Tail());
            bool wrote = await Task.WhenAny(held, Task.Delay(TimeSpan.FromSeconds(6), TestContext.Current.CancellationToken)) == held;
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
