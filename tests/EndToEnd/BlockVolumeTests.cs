using System.Text;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Block devices of the host as a kubelet gives them to containers: raw block volumes.</summary>
[Collection(NodeCollection.Name)]
public sealed class BlockVolumeTests(NodeLab lab)
{
    private const long Size = 16 * 1024 * 1024 + 4096;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_guest_has_synced_is_on_the_hosts_device_and_what_the_host_wrote_the_next_container_reads()
    {
        await using LoopDevice volume = await LoopDevice.AttachAsync(lab.Directory, Size);
        string link = Path.Combine(lab.Directory, Path.GetFileName(volume.File) + ".link");
        File.CreateSymbolicLink(link, volume.Path);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string first = await StartAsync(pod, Volume(link, "mrw"));
        Assert.Equal($"{Size}\n", await pod.ExecAsync(first, Token, "sh", "-c", "wc -c < /dev/xvda"));
        await pod.ExecAsync(first, Token, "sh", "-c", "printf 'from the guest' | dd of=/dev/xvda bs=512 seek=3 conv=fsync,notrunc 2>/dev/null");
        Assert.Equal("from the guest", await ReadAsync(volume.File, 3 * 512, 14));
        Assert.Equal("from the guest", await ReadAsync(volume.Path, 3 * 512, 14));
        await pod.ExecAsync(first, Token, "sh", "-c", "printf unsynced | dd of=/dev/xvda bs=512 seek=5 conv=notrunc 2>/dev/null");
        await RemoveAsync(first);
        Assert.Equal("unsynced", await ReadAsync(volume.File, 5 * 512, 8));
        await WriteAsync(volume.Path, 7 * 512, "from the host");

        string second = await StartAsync(pod, Volume(link, "mrw"));
        Assert.Equal("from the guest", await pod.ExecAsync(second, Token, "sh", "-c", "dd if=/dev/xvda bs=512 skip=3 count=1 2>/dev/null | tr -d '\\0'"));
        Assert.Equal("from the host", await pod.ExecAsync(second, Token, "sh", "-c", "dd if=/dev/xvda bs=512 skip=7 count=1 2>/dev/null | tr -d '\\0'"));
        File.Delete(link);
    }

    [Fact]
    public async Task What_a_guest_discards_takes_no_space_on_the_host()
    {
        await using LoopDevice volume = await LoopDevice.AttachAsync(lab.Directory, Size);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, Volume(volume.Path, "mrw"));

        await pod.ExecAsync(container, Token, "sh", "-c", "tr '\\0' x < /dev/zero | dd of=/dev/xvda bs=64k count=256 iflag=fullblock conv=fsync 2>/dev/null");
        long full = await volume.AllocatedAsync();
        await pod.ExecAsync(container, Token, "blkdiscard", "/dev/xvda");

        Assert.InRange(full, Size - 65536, Size + 65536);
        Assert.InRange(await volume.AllocatedAsync(), 0, 1024 * 1024);
    }

    [Fact]
    public async Task A_volume_without_w_cannot_be_written_not_even_by_a_privileged_container()
    {
        await using LoopDevice volume = await LoopDevice.AttachAsync(lab.Directory, Size);
        await WriteAsync(volume.Path, 0, "kept");
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.SecurityContext = new LinuxSandboxSecurityContext { Privileged = true };
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);

        string plain = await StartAsync(pod, Volume(volume.Path, "r"));
        string privileged = await StartAsync(pod, change =>
        {
            Volume(volume.Path, "r")(change);
            change.Linux.SecurityContext = new LinuxContainerSecurityContext { Privileged = true };
        });

        foreach (string container in (string[])[plain, privileged])
        {
            Assert.Equal("kept", await pod.ExecAsync(container, Token, "head", "-c", "4", "/dev/xvda"));
            Assert.NotEqual("0\n", await pod.ExecAsync(container, Token, "sh", "-c", "printf lost | dd of=/dev/xvda conv=fsync,notrunc 2>/dev/null; echo $?"));
        }

        Assert.Equal("kept", await ReadAsync(volume.File, 0, 4));
    }

    [Fact]
    public async Task Two_containers_share_one_disk_and_the_last_one_unplugs_it()
    {
        await using LoopDevice volume = await LoopDevice.AttachAsync(lab.Directory, Size);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string first = await StartAsync(pod, Volume(volume.Path, "mrw"));
        string second = await StartAsync(pod, change =>
        {
            Volume(volume.Path, "mrw", "/data/disk")(change);
            change.Linux.SecurityContext = new LinuxContainerSecurityContext { RunAsUser = new Int64Value { Value = 1000 }, RunAsGroup = new Int64Value { Value = 2000 } };
        });

        Assert.Equal(await NodeAsync(first, "/dev/xvda"), await NodeAsync(second, "/data/disk"));
        Assert.Equal("1000 2000 660\n", await pod.ExecAsync(second, Token, "stat", "-c", "%u %g %a", "/data/disk"));
        await pod.ExecAsync(second, Token, "sh", "-c", "printf shared | dd of=/data/disk conv=notrunc 2>/dev/null");
        Assert.Equal("shared", await pod.ExecAsync(first, Token, "head", "-c", "6", "/dev/xvda"));
        Assert.True(volume.OpenIn(pod.QemuPid()) > 0);
        await RemoveAsync(first);
        Assert.Equal("shared", await pod.ExecAsync(second, Token, "head", "-c", "6", "/data/disk"));
        await RemoveAsync(second);
        Assert.Equal(0, volume.OpenIn(pod.QemuPid()));

        Task<string> NodeAsync(string container, string path) => pod.ExecAsync(container, Token, "stat", "-c", "%t:%T", path);
    }

    [Fact]
    public async Task A_volume_outlives_the_daemon_and_is_unplugged_by_the_next_one()
    {
        await using LoopDevice volume = await LoopDevice.AttachAsync(lab.Directory, Size);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, Volume(volume.Path, "mrw"));

        await lab.Daemon.KillAsync();
        await lab.RestartDaemonAsync(Token);
        await pod.ExecAsync(container, Token, "sh", "-c", "printf 'after all' | dd of=/dev/xvda conv=fsync,notrunc 2>/dev/null");
        string second = await StartAsync(pod, Volume(volume.Path, "mrw"));

        Assert.Equal("after all", await ReadAsync(volume.File, 0, 9));
        Assert.Equal(
            await pod.ExecAsync(container, Token, "stat", "-c", "%t:%T", "/dev/xvda"), await pod.ExecAsync(second, Token, "stat", "-c", "%t:%T", "/dev/xvda"));
        await RemoveAsync(container);
        await RemoveAsync(second);
        Assert.Equal(0, volume.OpenIn(pod.QemuPid()));
    }

    [Fact]
    public async Task Root_of_a_user_namespace_has_its_volume()
    {
        await using LoopDevice volume = await LoopDevice.AttachAsync(lab.Directory, Size);
        NamespaceOption options = new() { UsernsOptions = new UserNamespace { Mode = NamespaceMode.Pod, Uids = { Mapping() }, Gids = { Mapping() } } };
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = options };
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);

        string container = await StartAsync(pod, change =>
        {
            Volume(volume.Path, "mrw")(change);
            change.Linux.SecurityContext = new LinuxContainerSecurityContext { NamespaceOptions = options };
        });
        await pod.ExecAsync(container, Token, "sh", "-c", "printf mapped | dd of=/dev/xvda conv=fsync,notrunc 2>/dev/null");

        Assert.Equal("mapped", await ReadAsync(volume.File, 0, 6));

        static IDMapping Mapping() => new() { ContainerId = 0, HostId = 1000, Length = 70_000 };
    }

    [Fact]
    public async Task Devices_that_cannot_be_volumes_are_refused_with_the_reason_and_nothing_is_left()
    {
        await using LoopDevice readOnly = await LoopDevice.AttachAsync(lab.Directory, Size, "--read-only");
        await using LoopDevice empty = await LoopDevice.AttachAsync(lab.Directory, 0);
        await using LoopDevice good = await LoopDevice.AttachAsync(lab.Directory, Size);
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        (string Path, string Reason)[] wrong =
        [
            ("/dev/ptmx", "is no block device"), ("/tmp", "is no block device"), ("/dev/not-there", "is not there (ENOENT)"),
            (empty.Path, "without a medium"), (readOnly.Path, "cannot be opened for reading and writing"),
        ];

        foreach ((string path, string reason) in wrong)
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, Volume(path, "mrw"), "true"));
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.Contains(reason, refused.Status.Detail, StringComparison.Ordinal);
        }

        // The guest refuses it, after the disk was plugged in.
        RpcException late = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, Volume(good.Path, "mrw", "/dev/null"), "true"));
        Assert.Equal(StatusCode.InvalidArgument, late.StatusCode);
        Assert.Equal(0, good.OpenIn(pod.QemuPid()));
        Assert.Equal("", await pod.ExecAsync(await StartAsync(pod, Volume(readOnly.Path, "r")), Token, "sh", "-c", "head -c 4 /dev/xvda | tr -d '\\0'"));
    }

    private static Action<ContainerConfig> Volume(string hostPath, string permissions, string containerPath = "/dev/xvda") =>
        config => config.Devices.Add(new Device { HostPath = hostPath, ContainerPath = containerPath, Permissions = permissions });

    private async Task<string> StartAsync(PodUnderTest pod, Action<ContainerConfig> change)
    {
        string id = await pod.CreateAsync(Token, change, "sleep", "1000");
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private async Task RemoveAsync(string container) =>
        await lab.Cri.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, cancellationToken: Token);

    private static async Task<string> ReadAsync(string path, long offset, int count)
    {
        var bytes = new byte[count];
        await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        file.Position = offset;
        await file.ReadExactlyAsync(bytes, Token);
        return Encoding.ASCII.GetString(bytes);
    }

    private static async Task WriteAsync(string path, long offset, string text)
    {
        await using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Position = offset;
        await file.WriteAsync(Encoding.ASCII.GetBytes(text), Token);
        file.Flush(flushToDisk: true);
    }
}
