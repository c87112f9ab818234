using System.Net.Http.Json;
using System.Text.Json;
using Tmds.Linux;
using Vks.Supervisor.ControlPlane;
using Vks.Tests.Kit;

namespace Vks.Tests.Supervisor.ControlPlane;

/// <summary>One real member on a test host, from its start to a restored backup.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class MemberTests
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_member_renews_its_certificates_survives_kill_9_and_stops_in_order_with_nothing_left()
    {
        await using ControlPlaneLab lab = await ControlPlaneLab.StartAsync(1);
        MemberState before = lab.State(1)!;
        DateTime made = File.GetLastWriteTimeUtc(Path.Combine(lab.Folder(1), "pki", "etcd-server.crt"));

        lab.Process(1).Signal(LibC.SIGHUP);
        await lab.UntilAsync(() => File.GetLastWriteTimeUtc(Path.Combine(lab.Folder(1), "pki", "etcd-server.crt")) > made, TimeSpan.FromSeconds(20), "new certificates");
        await lab.ReadyAsync(1);
        Assert.Equal(before.Programs.Select(static program => program.ProcessId), lab.State(1)!.Programs.Select(static program => program.ProcessId));

        await lab.Process(1).KillAsync();
        await lab.UntilAsync(() => lab.Left().Count == 0, TimeSpan.FromSeconds(10), "its programs end with it");
        lab.Launch(1);
        await lab.ReadyAsync(1);
        (int second, string refusal) = await SupervisorProcess.RunAsync(lab.Hosts.Host(1), "member", "run", "--config", lab.SettingsFile(1));
        Assert.Equal(1, second);
        Assert.Contains("is in use", refusal, StringComparison.Ordinal);

        Assert.Equal(0, await lab.Process(1).StopAsync());
        Assert.Empty(lab.Left());
        Assert.DoesNotContain("10.78.", await TestHosts.InAsync(lab.Hosts.Host(1), "ip", "address"), StringComparison.Ordinal);
        Assert.True(new FileInfo(Path.Combine(lab.Folder(1), "log", "audit.log")).Length > 0);
    }

    [Fact]
    public async Task A_restored_backup_has_what_was_there_when_it_was_taken_and_nothing_later()
    {
        await using ControlPlaneLab lab = await ControlPlaneLab.StartAsync(1);
        string file = Path.Combine(lab.Directory, "backup.tar.gz");
        using (HttpClient client = lab.Client(lab.Address(1), s_answer))
        {
            await CreateAsync(client, "before");
            await RunAsync(lab, 0, "backup", file);
            await CreateAsync(client, "after");
        }

        Assert.Contains("is in use", await RunAsync(lab, 1, "restore", file), StringComparison.Ordinal);
        Assert.Equal(0, await lab.Process(1).StopAsync());
        await DamageAsync(file);
        Assert.Contains("is damaged", await RunAsync(lab, Vks.Supervisor.CommandLine.ConfigurationFault, "restore", file + ".damaged"), StringComparison.Ordinal);
        await RunAsync(lab, 0, "restore", file);
        lab.Launch(1);
        await lab.ReadyAsync(1);

        using HttpClient again = lab.Client(lab.Address(1), s_answer);
        using JsonDocument found = JsonDocument.Parse(await again.GetStringAsync(new Uri("/api/v1/namespaces/default/configmaps", UriKind.Relative), Token));
        string[] names = [.. found.RootElement.GetProperty("items").EnumerateArray().Select(static item => item.GetProperty("metadata").GetProperty("name").GetString()!)];
        Assert.Contains("before", names);
        Assert.DoesNotContain("after", names);
    }

    [Fact]
    public async Task Preflight_finds_an_address_that_another_host_has_and_hosts_of_one_name()
    {
        await using ControlPlaneLab lab = await ControlPlaneLab.CreateAsync(2);
        await TestHosts.InAsync(lab.Hosts.Host(2), "ip", "address", "add", lab.Floating + "/24", "dev", TestHosts.Link);

        (int exit, string found) = await SupervisorProcess.RunAsync(
            lab.Hosts.Host(1), "preflight", "--config", lab.SettingsFile(1), "--name", "no-such-host.invalid", "--host", $"m2=ip netns exec {lab.Hosts.Host(2)}");

        Assert.Equal(1, exit);
        string flat = found.ReplaceLineEndings(" ");
        Assert.Contains($"{lab.Floating}, which is to be the floating", flat, StringComparison.Ordinal);
        Assert.Contains("all call themselves", flat, StringComparison.Ordinal);
        Assert.Contains("no-such-host.invalid", flat, StringComparison.Ordinal);
        Assert.Contains("hostnamectl set-hostname", flat, StringComparison.Ordinal);
    }

    private static async Task CreateAsync(HttpClient client, string name)
    {
        using HttpResponseMessage answer = await client.PostAsJsonAsync(
            new Uri("/api/v1/namespaces/default/configmaps", UriKind.Relative), new { apiVersion = "v1", kind = "ConfigMap", metadata = new { name } }, Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    private static async Task<string> RunAsync(ControlPlaneLab lab, int expected, string verb, string file)
    {
        (int exit, string output) = await SupervisorProcess.RunAsync(lab.Hosts.Host(1), verb, "--config", lab.SettingsFile(1), file);
        Assert.True(exit == expected, $"{verb} ended with {exit}: {output}");
        return output;
    }

    /// <summary>A backup of which one byte of the copy of etcd has changed, packed as if nothing were the matter.</summary>
    private static async Task DamageAsync(string file)
    {
        string folder = file + ".folder";
        Directory.CreateDirectory(folder);
        await CliWrap.Cli.Wrap("tar").WithArguments(["-xzf", file, "-C", folder]).ExecuteAsync();
        await using (FileStream snapshot = new(Path.Combine(folder, "etcd.snapshot"), FileMode.Open))
        {
            snapshot.Seek(10_000, SeekOrigin.Begin);
            snapshot.WriteByte(0x5a);
        }

        await CliWrap.Cli.Wrap("tar").WithArguments(["-czf", file + ".damaged", "-C", folder, "."]).ExecuteAsync();
    }
}
