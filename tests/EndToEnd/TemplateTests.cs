using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Pods whose guests started from one template, as their containers see them.</summary>
[Collection(NodeCollection.Name)]
public sealed class TemplateTests(NodeLab lab)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_pods_of_one_template_share_no_identity_no_randomness_and_no_address_layout()
    {
        await lab.WaitForTemplateAsync(Token);
        await using PodUnderTest first = await PodUnderTest.RunAsync(lab, Token);
        await using PodUnderTest second = await PodUnderTest.RunAsync(lab, Token);
        Assert.NotEqual("", await TemplateOfAsync(first));
        Assert.Equal(await TemplateOfAsync(first), await TemplateOfAsync(second));

        IReadOnlyList<string> one = await GuestIdentity.LookAsync(lab, first, Token);
        IReadOnlyList<string> two = await GuestIdentity.LookAsync(lab, second, Token);

        Assert.Equal(GuestIdentity.Facts.Count, one.Count);
        Assert.All(GuestIdentity.Facts.Index(), fact => Assert.True(one[fact.Index] != two[fact.Index] && one[fact.Index].Length > 0, $"{fact.Item} is '{one[fact.Index]}' in both"));
        Assert.Equal(first.Config.Hostname, one[3]);
    }

    [Fact]
    public async Task The_clock_of_a_clone_is_the_hosts_and_not_its_templates()
    {
        await lab.WaitForTemplateAsync(Token);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        long before = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        long inGuest = long.Parse(await pod.ExecAsync(container, Token, "date", "+%s"), CultureInfo.InvariantCulture);
        long after = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

        Assert.NotEqual("", await TemplateOfAsync(pod));
        Assert.InRange(inGuest, before - 2, after + 2);
    }

    [Fact]
    public async Task Memory_that_a_clone_frees_goes_back_to_the_host_and_the_template_stays_as_it_was()
    {
        await lab.WaitForTemplateAsync(Token);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");
        string memory = Path.Combine(lab.Directory, "root", "templates", await TemplateOfAsync(pod), "memory");
        string hash = await HashAsync(memory);
        int qemu = (await InfoAsync(pod)).GetProperty("pid").GetInt32();
        long before = AnonymousKiB(qemu);

        await pod.ExecAsync(container, Token, "dd", "if=/dev/zero", "of=/dev/shm/big", "bs=1M", "count=60");
        long used = AnonymousKiB(qemu);
        await pod.ExecAsync(container, Token, "rm", "/dev/shm/big");
        await Eventually.TrueAsync(
            () => Task.FromResult(AnonymousKiB(qemu) < used - 40_000), Deadline, () => $"QEMU had {before} KiB, then {used}, now {AnonymousKiB(qemu)}", Token);

        Assert.True(used > before + 50_000, $"{before} KiB before, {used} KiB after: the guest did not take it");
        Assert.Equal(hash, await HashAsync(memory));
        Assert.Equal("alive\n", await pod.ExecAsync(container, Token, "echo", "alive"));
    }

    [Fact]
    public async Task A_daemon_killed_while_it_makes_a_template_leaves_nothing_of_it_after_its_next_start()
    {
        string folder = Path.Combine(lab.Directory, "other");
        string machines = Path.Combine(folder, "root", "machines");
        // The accelerator is named, since a daemon that looks for one starts a QEMU for that, too.
        await using (SphereletProcess daemon = await SphereletProcess.StartAsync(folder, Token, "--first-user-id", "3000000", "--accelerator", "tcg"))
        {
            await Eventually.TrueAsync(
                () => Task.FromResult(Directory.Exists(machines) && QemusOf(folder).Count == 1), Deadline, () => $"no template is made:\n{daemon.Log}", Token);
            await daemon.KillAsync();
        }

        Assert.Single(QemusOf(folder));
        await using (SphereletProcess daemon = await SphereletProcess.StartAsync(folder, Token, "--first-user-id", "3000000", "--accelerator", "tcg", "--template-budget-mib", "0"))
        {
            Assert.Empty(QemusOf(folder));
            Assert.Empty(Directory.EnumerateFileSystemEntries(machines));
            Assert.False(Directory.Exists(Path.Combine(folder, "root", "templates")), "a template is there");
            await daemon.StopAsync();
        }
    }

    private static List<int> QemusOf(string folder) =>
    [
        .. Directory.EnumerateDirectories("/proc").Select(process => int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out int pid) ? pid : 0)
            .Where(pid => pid != 0 && CommandLineOf(pid).Contains($"guest={folder}/", StringComparison.Ordinal)),
    ];

    private static string CommandLineOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static long AnonymousKiB(int pid) => long.Parse(
        File.ReadLines($"/proc/{pid}/smaps_rollup").First(line => line.StartsWith("Anonymous:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);

    private static async Task<string> HashAsync(string path)
    {
        await using FileStream file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, Token));
    }

    private async Task<string> TemplateOfAsync(PodUnderTest pod) => (await InfoAsync(pod)).GetProperty("template").GetString()!;

    private Task<JsonElement> InfoAsync(PodUnderTest pod) => GuestIdentity.InfoAsync(lab, pod, Token);
}
