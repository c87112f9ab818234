using System.Globalization;
using System.Text.Json;
using Vks.Runtime.Host;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Machines that run before their pods come.</summary>
[Collection(NodeCollection.Name)]
public sealed class PoolTests(NodeLab lab) : IAsyncLifetime
{
    /// <summary>Room for two or three.</summary>
    private const int BudgetMiB = 300;

    /// <summary>SIGKILL and SIGSTOP of signal(7).</summary>
    private const int Kill = 9, Freeze = 19;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await lab.RestartDaemonAsync(Token, "--pool-memory-mib", BudgetMiB.ToString(CultureInfo.InvariantCulture));
        await WaitForMembersAsync(1);
    }

    public async ValueTask DisposeAsync() => await lab.RestartDaemonAsync(CancellationToken.None);

    [Fact]
    public async Task Two_pods_of_the_pool_share_no_identity_and_know_nothing_of_the_rehearsal()
    {
        await using PodUnderTest first = await PodUnderTest.RunAsync(lab, Token);
        await WaitForMembersAsync(1);
        await using PodUnderTest second = await PodUnderTest.RunAsync(lab, Token);
        Assert.True((await GuestIdentity.InfoAsync(lab, first, Token)).GetProperty("pooled").GetBoolean());
        Assert.True((await GuestIdentity.InfoAsync(lab, second, Token)).GetProperty("pooled").GetBoolean());

        IReadOnlyList<string> one = await GuestIdentity.LookAsync(lab, first, Token);
        IReadOnlyList<string> two = await GuestIdentity.LookAsync(lab, second, Token);

        Assert.Equal(GuestIdentity.Facts.Count, one.Count);
        Assert.All(GuestIdentity.Facts.Index(), fact => Assert.True(one[fact.Index] != two[fact.Index] && one[fact.Index].Length > 0, $"{fact.Item} is '{one[fact.Index]}' in both"));
        Assert.Equal(first.Config.Hostname, one[3]);
        string address = (await first.StatusAsync(Token)).Network.Ip;
        string container = await first.StartAsync(Token, "sleep", "1000");
        string seen = await first.ExecAsync(container, Token, "sh", "-c", "ip -o address show dev eth0; ip route; cat /proc/mounts; ls /dev/sd*; hostname; cat /etc/hosts");
        Assert.Contains($"inet {address}/", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("192.0.2.", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("rehearsal", seen, StringComparison.Ordinal);
        Assert.Single(seen.Split('\n'), static line => line.Contains(" inet ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_pool_holds_as_many_as_came_at_once_and_never_more_than_its_budget()
    {
        PodUnderTest[] pods = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => PodUnderTest.RunAsync(lab, Token)));
        JsonElement pool = await ReadPoolAsync();
        Assert.Equal(5, pool.GetProperty("hits").GetInt32() + pool.GetProperty("misses").GetInt32());
        Assert.True(pool.GetProperty("hits").GetInt32() >= 1 && pool.GetProperty("misses").GetInt32() >= 1, pool.ToString());
        foreach (PodUnderTest pod in pods)
        {
            await pod.DisposeAsync();
        }

        await Eventually.TrueAsync(async () => Shelf(pool = await ReadPoolAsync()).Ready >= 2, Deadline, () => $"{pool}\n{lab.Daemon.Log}", Token);
        for (int look = 0; look < 20; look++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(250), Token);
            pool = await ReadPoolAsync();
            Assert.InRange(pool.GetProperty("usedMiB").GetInt32(), 1, BudgetMiB);
            Assert.True(Shelf(pool).Wanted >= 2 && Shelf(pool).Ready <= 4, pool.ToString());
            Assert.Equal(0, pool.GetProperty("failures").GetInt32());
        }
    }

    [Fact]
    public async Task A_killed_daemon_leaves_machines_of_the_pool_that_its_next_start_removes_whole()
    {
        string[] ids = await WaitForMembersAsync(1);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        ids = [.. (await WaitForMembersAsync(1)).Concat(ids).Distinct().Where(id => id != pod.Id)];

        await lab.Daemon.KillAsync();
        Assert.Contains(lab.TakeLeakCheck().Processes, process => ids.Any(id => process.Contains(id, StringComparison.Ordinal)));
        await lab.RestartDaemonAsync(Token);

        LeakCheck now = lab.TakeLeakCheck();
        Assert.All(ids, id => Assert.DoesNotContain(
            now.Processes.Concat(now.NetworkNamespaces).Concat(now.Files).Concat(now.Cgroups).Concat(now.UnixSockets), thing => thing.Contains(id[..12], StringComparison.Ordinal)));
        Assert.Equal("alive\n", await pod.ExecAsync(container, Token, "echo", "alive")); // it had been of the pool, too
        Assert.True((await GuestIdentity.InfoAsync(lab, pod, Token)).GetProperty("pooled").GetBoolean());
    }

    [Fact]
    public async Task A_daemon_that_ends_takes_its_pool_along()
    {
        string[] ids = await WaitForMembersAsync(1);

        await lab.Daemon.StopAsync();

        LeakCheck now = lab.TakeLeakCheck();
        Assert.DoesNotContain(now.Processes.Concat(now.NetworkNamespaces).Concat(now.Files), thing => ids.Any(id => thing.Contains(id[..12], StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_machine_that_died_or_froze_in_the_pool_costs_no_pod_its_start()
    {
        await SignalMembersAsync(Kill);
        await Eventually.TrueAsync(async () => (await ReadPoolAsync()).GetProperty("dropped").GetInt32() >= 1, Deadline, () => lab.Daemon.Log, Token);
        string[] ids = await WaitForMembersAsync(1);
        await SignalMembersAsync(Freeze);

        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        Assert.Contains(pod.Id, ids);
        Assert.Equal("alive\n", await pod.ExecAsync(container, Token, "echo", "alive"));
        Assert.False((await GuestIdentity.InfoAsync(lab, pod, Token)).GetProperty("pooled").GetBoolean());
        Assert.Equal(1, (await ReadPoolAsync()).GetProperty("failures").GetInt32());
    }

    [Fact]
    public async Task Without_a_budget_nothing_runs_before_its_pod()
    {
        await lab.RestartDaemonAsync(Token);
        await lab.WaitForTemplateAsync(Token);

        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        JsonElement pool = await ReadPoolAsync();

        Assert.False((await GuestIdentity.InfoAsync(lab, pod, Token)).GetProperty("pooled").GetBoolean());
        Assert.All(["budgetMiB", "usedMiB", "hits", "misses", "refills"], name => Assert.Equal(0, pool.GetProperty(name).GetInt32()));
        Assert.Empty(MembersBeside(pod.Id));
    }

    private static (int Ready, int Wanted) Shelf(JsonElement pool)
    {
        JsonElement shelf = Assert.Single(pool.GetProperty("machines").EnumerateArray());
        return (shelf.GetProperty("ready").GetInt32(), shelf.GetProperty("wanted").GetInt32());
    }

    private async Task<JsonElement> ReadPoolAsync()
    {
        StatusResponse status = await lab.Cri.Runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken: Token);
        return JsonDocument.Parse(status.Info["info"]).RootElement.GetProperty("pool").Clone();
    }

    /// <summary>The ids of all ready machines, once there are so many and none is being made.</summary>
    private async Task<string[]> WaitForMembersAsync(int count)
    {
        int ready = 0;
        await Eventually.TrueAsync(
            async () => (ready = Shelf(await ReadPoolAsync()).Ready) >= count && MembersBeside().Length == ready, Deadline, () => $"{ready} are ready:\n{lab.Daemon.Log}", Token);
        return MembersBeside();
    }

    /// <summary>Machines that are no pod's, by their folders.</summary>
    private string[] MembersBeside(params string[] podIds)
    {
        HashSet<string> pods = [.. podIds, .. Directory.EnumerateFiles(Path.Combine(lab.Directory, "root", "pods"), "pod.json", SearchOption.AllDirectories).Select(path => Path.GetFileName(Path.GetDirectoryName(path)!))];
        return [.. Directory.EnumerateDirectories(Path.Combine(lab.Directory, "root", "machines")).Select(path => Path.GetFileName(path)).Where(id => id.Length == 64 && !pods.Contains(id))];
    }

    private async Task SignalMembersAsync(int signal)
    {
        string[] ids = await WaitForMembersAsync(1);
        foreach (string process in lab.TakeLeakCheck().Processes.Where(process => ids.Any(id => process.Contains(id, StringComparison.Ordinal))))
        {
            using PidFd qemu = PidFd.Open(int.Parse(process.Split(' ')[0], CultureInfo.InvariantCulture));
            qemu.Signal(signal);
        }
    }
}
