using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Files of containers behave as programs expect, or as the Spherelet's README says that they do not.</summary>
[Collection(NodeCollection.Name)]
public sealed class FileBehaviourTests(NodeLab lab) : IAsyncLifetime
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    /// <summary>What files of a host path do not do: the table in spherelet/README.md. A QEMU or kernel that does more of it is no fault.</summary>
    private static readonly string[] s_notOnHostPaths =
    [
        "mmap_store_then_read", "change_unlinked", "unnamed_file", "rename_flags", "allocate_at_once", "punch_hole", "find_holes",
        "times_to_the_nanosecond", "sockets", "named_pipes", "watch_folder", "watch_file",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string ProgramFolder => Path.Combine(lab.Directory, "probe");

    public async ValueTask InitializeAsync() => await FileProbe.BuildAsync(ProgramFolder);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Files_on_a_host_path_behave_as_programs_expect_but_for_what_the_README_tells()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        Dictionary<string, string> said = await ProbeAsync(pod, "/data");

        Assert.DoesNotContain(said, check => check.Value != "ok" && !s_notOnHostPaths.Contains(check.Key));
        string readme = await File.ReadAllTextAsync(RepositoryRoot.Combine("spherelet", "README.md"), Token);
        Assert.All(s_notOnHostPaths, check => Assert.Contains($"`{check}`", readme, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Files_on_a_containers_own_disk_behave_as_programs_expect()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        Dictionary<string, string> said = await ProbeAsync(pod, "/own");

        // overlayfs of Linux 6.1 knows no unnamed files.
        Assert.DoesNotContain(said, check => check.Value != "ok" && check.Key != "unnamed_file");
    }

    [Fact]
    public async Task Two_containers_of_a_pod_lock_files_of_a_host_path_against_each_other()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string holder = await StartAsync(
            pod, "sh", "-c", "for how in posix ofd flock; do (sleep 1000 | /probe/file-probe hold /data/$how $how) & done; wait");
        string other = await StartAsync(pod, "sleep", "1000");
        await Eventually.TrueAsync(() => Task.FromResult(pod.ReadLines("c0").Count(line => line == "held") == 3), s_limit, () => pod.ReadLog("c0"), Token);

        Assert.Equal("busy\nbusy\nbusy\n", await TryAsync());
        await lab.Cri.Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = holder }, cancellationToken: Token);
        Assert.Equal("free\nfree\nfree\n", await TryAsync());

        Task<string> TryAsync() => pod.ExecAsync(other, Token, "sh", "-c", "for how in posix ofd flock; do /probe/file-probe try /data/$how $how; done");
    }

    [Fact]
    public async Task A_path_that_two_containers_mount_goes_with_the_last_of_them_also_when_the_daemon_was_started_anew()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string first = await StartAsync(pod, "sleep", "1000");
        string second = await StartAsync(pod, "sleep", "1000");
        await pod.ExecAsync(first, Token, "sh", "-c", "echo one > /data/file");
        Assert.Equal("one\n", await pod.ExecAsync(second, Token, "cat", "/data/file"));

        await RemoveAsync(first);
        await lab.Daemon.KillAsync();
        await lab.RestartDaemonAsync(Token);
        Assert.Equal("one\n", await pod.ExecAsync(second, Token, "cat", "/data/file"));
        string third = await StartAsync(pod, "sleep", "1000");
        await RemoveAsync(second);
        Assert.Equal("one\n", await pod.ExecAsync(third, Token, "cat", "/data/file"));
        await RemoveAsync(third);

        string root = Path.Combine(lab.Directory, "root", "pods", pod.Id);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(root, "share")));
        Assert.False(Directory.Exists(Path.Combine(root, "share-users")));
        Assert.Equal("one\n", await File.ReadAllTextAsync(Path.Combine(DataOf(pod), "file"), Token));
    }

    [Fact]
    public async Task What_two_containers_append_to_one_file_of_a_host_path_is_all_there_line_by_line()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string[] tags = ["A", "B"];
        string[] containers = await Task.WhenAll(tags.Select(tag => StartAsync(pod, "/probe/file-probe", "append", "/data/log", tag, "300")));
        foreach (string container in containers)
        {
            Assert.Equal(0, (await pod.WaitExitedAsync(container, s_limit, Token)).ExitCode);
        }

        string[] lines = await File.ReadAllLinesAsync(Path.Combine(DataOf(pod), "log"), Token);

        Assert.All(tags, tag => Assert.Equal(
            Enumerable.Range(0, 300).Select(number => $"{tag} {number,-98}"), lines.Where(line => line.StartsWith(tag, StringComparison.Ordinal))));
        Assert.Equal(600, lines.Length);
    }

    /// <summary>Runs all checks as a container's program.</summary>
    private async Task<Dictionary<string, string>> ProbeAsync(PodUnderTest pod, string folder)
    {
        string container = await StartAsync(pod, "sh", "-c", $"mkdir -p {folder}; exec /probe/file-probe {folder}");
        return await FileProbe.ReadAsync(pod, container, "c0", s_limit, Token);
    }

    private async Task<string> StartAsync(PodUnderTest pod, params string[] command)
    {
        Directory.CreateDirectory(DataOf(pod));
        string id = await pod.CreateAsync(
            Token,
            change => change.Mounts.Add(
            [
                new Mount { HostPath = ProgramFolder, ContainerPath = "/probe", Readonly = true },
                new Mount { HostPath = DataOf(pod), ContainerPath = "/data" },
            ]),
            command);
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private async Task RemoveAsync(string container) =>
        await lab.Cri.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, cancellationToken: Token);

    private string DataOf(PodUnderTest pod) => Path.Combine(lab.Directory, "data-" + pod.Id[..12]);
}
