using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>emptyDirs as a kubelet hands them over: folders of the host that the pod's machine has on disks of its own.</summary>
[Collection(NodeCollection.Name)]
public sealed class EmptyDirTests(NodeLab lab) : IAsyncLifetime
{
    private const string EmptyDirDisk = ".vks-disk.img";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    private readonly string _podFolder = Path.Combine(lab.Directory, "kubelet", "pods", Guid.NewGuid().ToString());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string ProgramFolder => Path.Combine(lab.Directory, "probe");

    public async ValueTask InitializeAsync() => await FileProbe.BuildAsync(ProgramFolder);

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_podFolder, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Files_of_an_emptyDir_behave_as_programs_expect_sockets_and_pipes_too()
    {
        string volume = NewVolume("v");
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string container = await StartAsync(pod, [(volume, "/v")], "/probe/file-probe", "/v");

        Dictionary<string, string> said = await FileProbe.ReadAsync(pod, container, "c0", s_limit, Token);
        Assert.DoesNotContain(said, static check => check.Value != "ok");
    }

    [Fact]
    public async Task Containers_share_an_emptyDir_its_owner_is_the_folders_and_a_subPath_is_a_folder_of_it()
    {
        string volume = NewVolume("v", mode: "2770", owner: "1000:2345");
        string sub = await BindSubPathAsync("v", volume, "below");
        try
        {
            await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
            string first = await StartAsync(pod, [(volume, "/v")], "sleep", "1000");
            Assert.Equal("1000 2345 2770\n", await pod.ExecAsync(first, Token, "stat", "-c", "%u %g %a", "/v"));
            Assert.Equal("", await pod.ExecAsync(first, Token, "ls", "-A", "/v"));
            await pod.ExecAsync(first, Token, "sh", "-c", "echo one > /v/file; chmod 755 /v");

            string second = await StartAsync(pod, [(volume, "/v"), (volume, "/same"), (sub, "/sub")], "sleep", "1000");
            Assert.Equal("one\n755 2345\n", await pod.ExecAsync(second, Token, "sh", "-c", "cat /same/file; stat -c '%a %g' /v"));
            await pod.ExecAsync(second, Token, "sh", "-c", "echo deep > /sub/file");
            Assert.Equal("deep\n2345\n", await pod.ExecAsync(first, Token, "sh", "-c", "cat /v/below/file; stat -c %g /v/below/file"));
            Assert.Equal([EmptyDirDisk, "below"], Directory.EnumerateFileSystemEntries(volume).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(volume, "below")));
        }
        finally
        {
            await Cli.Wrap("umount").WithArguments([sub]).ExecuteAsync(Token);
        }
    }

    [Fact]
    public async Task What_an_emptyDir_takes_shows_in_its_folder_on_the_host_and_is_given_back()
    {
        string volume = NewVolume("v");
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, [(volume, "/v")], "sleep", "1000");
        long empty = await UsedKiBAsync(volume);

        await pod.ExecAsync(container, Token, "sh", "-c", "tr '\\0' x < /dev/zero | dd of=/v/big bs=64k count=320 iflag=fullblock conv=fsync 2>/dev/null");
        long full = await UsedKiBAsync(volume);
        await pod.ExecAsync(container, Token, "sh", "-c", "rm /v/big; sync");

        Assert.InRange(empty, 1, 2048);
        Assert.InRange(full - empty, 20 * 1024, 26 * 1024);
        await Eventually.TrueAsync(async () => await UsedKiBAsync(volume) < 6 * 1024, s_limit, () => "what was deleted still takes room", Token);
    }

    [Fact]
    public async Task An_emptyDir_outlives_its_sandbox_also_one_whose_QEMU_was_killed()
    {
        string volume = NewVolume("v");
        await using PodUnderTest killed = await PodUnderTest.RunAsync(lab, Token);
        string first = await StartAsync(killed, [(volume, "/v")], "sleep", "1000");
        await killed.ExecAsync(first, Token, "sh", "-c", "for i in 1 2 3; do echo $i > /v/$i; done; sync");
        System.Diagnostics.Process.GetProcessById(killed.QemuPid()).Kill();
        await killed.WaitExitedAsync(first, s_limit, Token);

        await using PodUnderTest stopped = await PodUnderTest.RunAsync(lab, Token);
        string second = await StartAsync(stopped, [(volume, "/v")], "sleep", "1000");
        Assert.Equal("1\n2\n3\n", await stopped.ExecAsync(second, Token, "sh", "-c", "cat /v/*"));
        await stopped.ExecAsync(second, Token, "sh", "-c", "echo unsynced > /v/4");
        await lab.Daemon.KillAsync();
        await lab.RestartDaemonAsync(Token);
        await lab.Cri.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = stopped.Id }, cancellationToken: Token);

        await using PodUnderTest last = await PodUnderTest.RunAsync(lab, Token);
        string third = await StartAsync(last, [(volume, "/v")], "sleep", "1000");
        Assert.Equal("1\n2\n3\nunsynced\n", await last.ExecAsync(third, Token, "sh", "-c", "cat /v/*"));
    }

    [Fact]
    public async Task An_emptyDir_in_memory_is_memory_of_the_machine_with_the_size_it_may_have()
    {
        string volume = NewVolume("m");
        await Cli.Wrap("mount").WithArguments(["-t", "tmpfs", "-o", "size=3m,mode=1777", "tmpfs", volume]).ExecuteAsync(Token);
        try
        {
            await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
            string first = await StartAsync(pod, [(volume, "/m")], "sleep", "1000");
            string second = await StartAsync(pod, [(volume, "/m")], "sleep", "1000");

            Assert.Equal("tmpfs\n1777\n", await pod.ExecAsync(first, Token, "sh", "-c", "stat -f -c %T /m; stat -c %a /m"));
            await pod.ExecAsync(first, Token, "sh", "-c", "echo shared > /m/file");
            await lab.Cri.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = first }, cancellationToken: Token);
            Assert.Equal("shared\n", await pod.ExecAsync(second, Token, "cat", "/m/file"));
            Assert.Contains("No space left", await pod.ExecAsync(second, Token, "sh", "-c", "dd if=/dev/zero of=/m/big bs=1M count=4 2>&1 || true"), StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(volume));
        }
        finally
        {
            await Cli.Wrap("umount").WithArguments([volume]).ExecuteAsync(Token);
        }
    }

    [Fact]
    public async Task A_link_in_the_place_of_an_emptyDirs_disk_is_refused()
    {
        string volume = NewVolume("v");
        File.CreateSymbolicLink(Path.Combine(volume, EmptyDirDisk), "/etc/passwd");
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        Grpc.Core.RpcException refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => StartAsync(pod, [(volume, "/v")], "sleep", "1000"));

        Assert.Contains("it is no regular file", refused.Status.Detail, StringComparison.Ordinal);
    }

    private string NewVolume(string name, string mode = "0777", string owner = "0:0")
    {
        string folder = Directory.CreateDirectory(Path.Combine(_podFolder, "volumes", "kubernetes.io~empty-dir", name)).FullName;
        Assert.Equal(0, Run("chown", owner, folder));
        Assert.Equal(0, Run("chmod", mode, folder));
        return folder;
    }

    /// <summary>As a kubelet does it: the folder is made in the volume, and bound to where the container is to have it from.</summary>
    private async Task<string> BindSubPathAsync(string name, string volume, string folder)
    {
        string source = Directory.CreateDirectory(Path.Combine(volume, folder)).FullName;
        string target = Directory.CreateDirectory(Path.Combine(_podFolder, "volume-subpaths", name, "c", "2")).FullName;
        Assert.Equal(0, Run("chown", "--reference", volume, source));
        Assert.Equal(0, Run("chmod", "--reference", volume, source));
        await Cli.Wrap("mount").WithArguments(["--bind", source, target]).ExecuteAsync(Token);
        return target;
    }

    private async Task<string> StartAsync(PodUnderTest pod, (string Host, string Container)[] mounts, params string[] command)
    {
        string id = await pod.CreateAsync(
            Token,
            change => change.Mounts.Add(
            [
                new Mount { HostPath = ProgramFolder, ContainerPath = "/probe", Readonly = true },
                .. mounts.Select(static mount => new Mount { HostPath = mount.Host, ContainerPath = mount.Container }),
            ]),
            command);
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private static int Run(string program, params string[] arguments)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode;
    }

    private static async Task<long> UsedKiBAsync(string folder) =>
        long.Parse((await Cli.Wrap("du").WithArguments(["-sk", folder]).ExecuteBufferedAsync(Token)).StandardOutput.Split('\t')[0], CultureInfo.InvariantCulture);
}
