using System.Globalization;
using Vks.Supervisor;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Pki;
using Vks.Supervisor.Rollouts;

namespace Vks.Tests.Supervisor.Rollouts;

/// <summary>Whole rolling replacements on hosts in memory: killed at each of their calls, stopped, paused, refused.</summary>
public sealed class RolloutRunTests : IDisposable
{
    // In memory: each write of the book waits for its disk, and there are thousands.
    private readonly string _folder = Directory.CreateDirectory($"/dev/shm/vks-test-rollout-{Random.Shared.Next():x8}").FullName;
    private readonly List<string> _told = [];
    private int _runs;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, "small", 3, "small")]
    [InlineData(3, "small", 3, "large")]
    [InlineData(3, "small", 1, "small")]
    [InlineData(1, "small", 1, "large")]
    [InlineData(3, "small", 1, "large")]
    public async Task A_run_that_is_killed_anywhere_is_run_again_and_ends_as_if_nothing_had_been(int from, string size, int to, string newSize)
    {
        int calls = (await RunAsync(from, size, to, newSize, killAt: 0, after: false)).Calls;
        Assert.True(calls > 3);

        foreach (bool after in new[] { false, true })
        {
            for (var kill = 1; kill <= calls; kill++)
            {
                await RunAsync(from, size, to, newSize, kill, after);
            }
        }
    }

    [Theory]
    [InlineData("caught up demo-4")]
    [InlineData("serves demo-4")]
    public async Task A_member_that_does_not_come_to_serve_is_taken_away_again_and_the_reason_is_told(string lame)
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(3, "small"));
        plane.Lame.Add(lame);
        string[] before = [.. plane.Members.Select(static member => member.Name)];

        SupervisorException stopped = await Assert.ThrowsAsync<SupervisorException>(() => Run(Settings(3, "large"), folder, plane).RunAsync(Token));

        Assert.Contains("demo-4 was taken away again", stopped.Message, StringComparison.Ordinal);
        Assert.Contains(lame.StartsWith("serves", StringComparison.Ordinal) ? "not yet" : "in sync with leader", folder.Read()!.Stopped, StringComparison.Ordinal);
        Assert.Equal(before, plane.Members.Select(static member => member.Name));
        Assert.Equal(3, plane.Etcd.Count);
        await Run(Settings(3, "large"), folder, plane).RunAsync(Token);
        CheckEnd(plane, folder, Settings(3, "large"));
    }

    [Fact]
    public async Task A_pause_lets_nothing_half_done_be_lost_and_the_next_run_goes_on_once_it_ends()
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(3, "small"));
        plane.Lame.Add("caught up demo-4");
        Task going = Run(Settings(3, "large"), folder, plane, TimeSpan.FromMinutes(1)).RunAsync(Token);
        folder.IsPaused = true;
        SupervisorException paused = await Assert.ThrowsAsync<SupervisorException>(() => going);
        Assert.Contains("supervisor rollout resume", paused.Message, StringComparison.Ordinal);

        int calls = plane.Calls;
        await Assert.ThrowsAsync<SupervisorException>(() => Run(Settings(3, "large"), folder, plane).RunAsync(Token));
        Assert.Equal(calls, plane.Calls);
        folder.IsPaused = false;
        plane.Lame.Clear();
        await Run(Settings(3, "large"), folder, plane).RunAsync(Token);

        CheckEnd(plane, folder, Settings(3, "large"));
    }

    [Fact]
    public async Task The_former_file_takes_back_what_a_killed_run_had_begun()
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(3, "small"));
        plane.KillAt = 4;
        await Assert.ThrowsAsync<ModelPlane.KilledException>(() => Run(Settings(3, "large"), folder, plane).RunAsync(Token));
        Assert.Equal(4, folder.Read()!.Members.Count);

        await Run(Settings(3, "small"), folder, plane).RunAsync(Token);

        Assert.Equal(["demo-1", "demo-2", "demo-3"], plane.Members.Select(static member => member.Name));
        CheckEnd(plane, folder, Settings(3, "small"));
    }

    [Theory]
    [InlineData("services: 10.97.0.0/16", "services: \"10.97.0.0/16\" where control plane demo has")]
    [InlineData("programs: /opt/k9", "does not say its version")]
    public async Task What_cannot_be_is_refused_before_anything_is_changed(string line, string told)
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(3, "small"));
        plane.Programs["/opt/k9"] = "";
        string key = line.Split(':')[0];
        string file = string.Join('\n', File(3, "small").Split('\n').Where(other => !other.StartsWith(key + ":", StringComparison.Ordinal)).Append(line));

        SupervisorException refused = await Assert.ThrowsAsync<SupervisorException>(() => Run(ControlPlaneSettingsFile.Parse(file), folder, plane).RunAsync(Token));

        Assert.Contains(told, refused.Message, StringComparison.Ordinal);
        Assert.Equal(SupervisorFault.Precondition, refused.Fault);
        Assert.Equal(0, plane.Calls);
    }

    [Fact]
    public async Task A_member_that_does_not_serve_keeps_the_others_from_being_replaced()
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(3, "small"));
        plane.Members.First().Runs = false;

        SupervisorException refused = await Assert.ThrowsAsync<SupervisorException>(() => Run(Settings(3, "large"), folder, plane).RunAsync(Token));

        Assert.Contains("members demo-1: it does not run; fix: supervisor init -f", refused.Message, StringComparison.Ordinal);
        Assert.Contains("quorum", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, plane.Calls);
    }

    [Fact]
    public async Task A_member_whose_host_is_lost_is_replaced_once_the_file_names_another_host()
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(3, "small"));
        plane.Members.First().Runs = false;
        ControlPlaneSettings without = Settings(3, "small");
        without = without with { Hosts = [.. without.Hosts.Where(static host => host.Name != "host-1")] };

        await Run(without, folder, plane).RunAsync(Token);

        Assert.Equal(["host-2", "host-3", "host-4"], folder.Read()!.Members.Select(static member => member.Host.Name).Order());
        Assert.Empty(plane.Broken);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<ModelPlane> RunAsync(int from, string size, int to, string newSize, int killAt, bool after)
    {
        (ModelPlane plane, StateFolder folder) = Begin(Settings(from, size));
        (plane.KillAt, plane.KillAfter) = (killAt, after);
        if (killAt > 0)
        {
            await Assert.ThrowsAsync<ModelPlane.KilledException>(() => Run(Settings(to, newSize), folder, plane).RunAsync(Token));
        }

        await Run(Settings(to, newSize), folder, plane).RunAsync(Token);
        CheckEnd(plane, folder, Settings(to, newSize));
        return plane;
    }

    private void CheckEnd(ModelPlane plane, StateFolder folder, ControlPlaneSettings settings)
    {
        MemberBook book = folder.Read()!;
        Assert.True(plane.Broken.Count == 0, string.Join('\n', plane.Broken.Distinct()) + "\n" + string.Join('\n', _told));
        Assert.Equal(settings.Replicas, book.Members.Count);
        Assert.All(book.Members, member => Assert.Equal((MemberPhase.Serving, ControlPlanePlan.Shared(settings)), (member.Phase, member.Settings)));
        Assert.Equal(book.Members.Select(static member => member.Address).Order(), plane.Etcd.Select(static entry => entry.Address.ToString()).Order());
        Assert.Equal(book.Members.Select(static member => member.Name).Order(), plane.Members.Select(static member => member.Name).Order());
        Assert.All(plane.Members, static member => Assert.True(member.Ready));
        Assert.True(book.Settled);
        Assert.Contains(plane.Holder, book.Members.Select(static member => member.Name));
    }

    private (ModelPlane Plane, StateFolder Folder) Begin(ControlPlaneSettings settings)
    {
        StateFolder folder = new(Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{++_runs}")));
        Directory.CreateDirectory(folder.Pki);
        foreach (string name in AuthorityFiles.All)
        {
            System.IO.File.WriteAllText(Path.Combine(folder.Pki, name), name);
        }

        MemberBook book = MemberBook.First(settings);
        folder.Write(book);
        ModelPlane plane = new(Settings(3, "small").Hosts);
        plane.Begin(book);
        return (plane, folder);
    }

    private RolloutRun Run(ControlPlaneSettings settings, StateFolder folder, ModelPlane plane, TimeSpan? patience = null) => new(
        settings, folder, plane.Reach, plane, static _ => Task.FromResult<IReadOnlyDictionary<string, string>?>(new Dictionary<string, string> { ["node-1"] = "v1.20.2" }), _told.Add,
        new RolloutTiming(TimeSpan.FromMilliseconds(1), patience ?? TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(5)), new MonotonicTime());

    private static ControlPlaneSettings Settings(int replicas, string size) => ControlPlaneSettingsFile.Parse(File(replicas, size));

    private static string File(int replicas, string size) => $$"""
        name: demo
        replicas: {{replicas}}
        size: {{size}}
        firstAddress: 10.0.0.11
        prefix: 24
        link: eth0
        programs: /opt/k1
        supervisor: /usr/local/bin/supervisor
        zones:
        - { name: a, hosts: [{ name: host-1 }, { name: host-2 }, { name: host-3 }, { name: host-4 }] }
        """;

    /// <summary>The hosts in memory are of 1970, and so are the times between which they were asked.</summary>
    private sealed class MonotonicTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;
    }
}
