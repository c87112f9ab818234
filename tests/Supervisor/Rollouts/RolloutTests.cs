using System.Diagnostics;
using System.Globalization;
using Vks.Supervisor.ControlPlane;
using Vks.Tests.Kit;
using Vks.Tests.Supervisor.ControlPlane;

namespace Vks.Tests.Supervisor.Rollouts;

/// <summary>Real members that come and go under a writer: nothing that was acknowledged is lost, and the API is never away for long.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class RolloutTests(ITestOutputHelper output)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_step = TimeSpan.FromMinutes(3);

    /// <summary>What is told of the steps of a replacement, in their order; two of them are not always there: etcd's leader moves only away from who leads it, and the files are settled at the end.</summary>
    private static readonly string[] s_steps =
        ["comes on", "is a learner", "has started", "has caught up", "serves the API", "leaves", "is told to leave", "is out of etcd", "has stopped", "is gone"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task One_member_becomes_three_all_are_replaced_and_one_is_left_while_a_writer_loses_nothing() => RunAsync(["is a learner", "is told to leave"]);

    // Each kill costs a run's beginning, which asks all hosts: more than the usual run has time for.
    [Fact(Explicit = true)]
    public Task A_replacement_survives_a_kill_in_every_step() => RunAsync(s_steps);

    private async Task RunAsync(string[] kills)
    {
        await using RolloutLab lab = await RolloutLab.CreateAsync(4);
        await BeginAsync(lab);
        await using HolderWatch watch = await HolderWatch.StartAsync(lab.Hosts, Enumerable.Range(1, lab.Count), lab.Floating);
        await using WriteLoad load = WriteLoad.Start(lab.Client(TimeSpan.FromSeconds(1)));
        await load.NextAsync(s_patience, lab.Logs);

        await ChangeAsync(lab, load, "1 -> 3", 3, "tiny", null);
        Assert.Equal(["demo-1 started false", "demo-2 started false", "demo-3 started false"], await lab.EtcdAsync());

        // Killed in the middle of a member's coming and of another's going, as by an accident; the next run goes on.
        await lab.WriteAsync(3, "small", lab.OtherPrograms());
        long begin = Stopwatch.GetTimestamp();
        await KillThroughAsync(lab, kills);
        output.WriteLine($"{kills.Length} kills in {Stopwatch.GetElapsedTime(begin).TotalSeconds:0} s");
        (int unfinished, string screen) = await lab.RunAsync("rollout", "status");
        Assert.True(unfinished == 1 && screen.Contains("next: ", StringComparison.Ordinal), screen);

        string told = await ChangeAsync(lab, load, "all three replaced", 3, "small", Path.Combine(lab.Directory, "other-programs"));
        Assert.Contains("demo-6: serves the API", told, StringComparison.Ordinal);
        Assert.Equal(["demo-4 started false", "demo-5 started false", "demo-6 started false"], await lab.EtcdAsync());
        Assert.Equal(["demo-4", "demo-5", "demo-6"], lab.OnHosts());

        await ChangeAsync(lab, load, "3 -> 1", 1, "small", Path.Combine(lab.Directory, "other-programs"));
        Assert.Single(await lab.EtcdAsync());
        Assert.Equal(lab.Folder.Read()!.Members.Select(static member => member.Name), lab.OnHosts());

        using HttpClient reader = lab.Client(TimeSpan.FromSeconds(30));
        Assert.Empty(await load.LostAsync(reader));
        Assert.True(load.Count > 100, $"only {load.Count} writes were acknowledged");
        Assert.Empty(await watch.DoublesAsync());
        Assert.True(watch.Answers > 10, "the address was never asked for: the watch saw nothing");
    }

    /// <summary>Brings one member up, after an address that somebody else has was refused; and applies the file again, which changes nothing.</summary>
    private static async Task BeginAsync(RolloutLab lab)
    {
        await lab.WriteAsync(1, "tiny");
        await TestHosts.InAsync(lab.Hosts.Fabric, "ip", "address", "add", lab.Floating + "/32", "dev", "bridge");
        (int refused, string reason) = await lab.RunAsync("apply");
        Assert.Equal(1, refused);
        Assert.Contains($"{lab.Floating}, which is to be the floating address, is in use already", reason, StringComparison.Ordinal);
        Assert.False(Directory.Exists(lab.Folder.Path));
        await TestHosts.InAsync(lab.Hosts.Fabric, "ip", "address", "delete", lab.Floating + "/32", "dev", "bridge");

        await lab.ApplyAsync();
        string state = Path.Combine(Path.GetDirectoryName(lab.Folder.Read()!.Members[0].File)!, "run", "state.json");
        int process = MemberState.Read(state)!.ProcessId;
        Assert.Contains("demo: is as the file says", await lab.ApplyAsync(), StringComparison.Ordinal);
        Assert.Equal(0, (await lab.RunAsync("init")).Exit);
        Assert.Equal(process, MemberState.Read(state)!.ProcessId);
    }

    private async Task<string> ChangeAsync(RolloutLab lab, WriteLoad load, string what, int replicas, string size, string? programs)
    {
        await lab.WriteAsync(replicas, size, programs);
        long begin = Stopwatch.GetTimestamp();
        string told = await lab.ApplyAsync();
        await load.NextAsync(s_patience, lab.Logs);
        string line = string.Create(CultureInfo.InvariantCulture, $"{what}: {Stopwatch.GetElapsedTime(begin).TotalSeconds:0.0} s, longest time without an acknowledged write {load.LongestGap(begin).TotalSeconds:0.00} s");
        output.WriteLine(line);
        if (Environment.GetEnvironmentVariable("VKS_ROLLOUT_REPORT") is { } report)
        {
            await File.AppendAllTextAsync(report, $"{line}\n{told}\n", Token);
        }

        return told;
    }

    /// <summary>Kills a run soon after it has told of a step that no run before was killed after: in the middle of what comes next.</summary>
    private static async Task KillThroughAsync(RolloutLab lab, string[] kills)
    {
        List<string> left = [.. kills];
        while (left.Count > 0)
        {
            await using SupervisorProcess run = lab.Start("apply");
            string? told = null;
            await UntilAsync(() => (told = left.Find(step => run.Log.Contains(step, StringComparison.Ordinal))) is not null, run, lab);
            await Task.Delay(Random.Shared.Next(500), Token);
            await run.KillAsync();
            left.Remove(told!);
        }
    }

    private static async Task UntilAsync(Func<bool> condition, SupervisorProcess process, RolloutLab lab)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(!process.HasEnded && Stopwatch.GetElapsedTime(begin) < s_step, $"{process.Log}\n{lab.Logs()}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), Token);
        }
    }
}
