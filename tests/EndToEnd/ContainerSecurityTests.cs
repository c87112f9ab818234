using CliWrap;
using CliWrap.Buffered;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What a container may do and with whom it shares what, as the container itself sees it. One pod for each test, many questions.</summary>
[Collection(NodeCollection.Name)]
public sealed class ContainerSecurityTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Volumes_keep_owners_and_modes_whoever_runs_the_machine()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "closed"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        string secret = Path.Combine(folder, "secret");
        await File.WriteAllTextAsync(secret, "told", Token);
        File.SetUnixFileMode(secret, UnixFileMode.UserRead);

        string root = await StartAsync(pod, config => config.Mounts.Add(new Mount { ContainerPath = "/v", HostPath = folder }));
        Assert.Equal("told", await pod.ExecAsync(root, Token, "cat", "/v/secret"));
        await pod.ExecAsync(root, Token, "sh", "-c", "mkdir /v/web && chown 1000:1001 /v/web && chmod 2770 /v/web");
        string web = await StartAsync(pod, config =>
        {
            config.Mounts.Add(new Mount { ContainerPath = "/v", HostPath = folder });
            config.Mounts.Add(new Mount { ContainerPath = "/w", HostPath = Path.Combine(folder, "web") });
            config.Linux.SecurityContext = new LinuxContainerSecurityContext { RunAsUser = new Int64Value { Value = 1000 } };
        });
        await pod.ExecAsync(web, Token, "sh", "-c", "echo one > /w/file && chmod 600 /w/file && echo two >> /w/file && ln -s file /w/link && cat /w/link");
        Assert.NotEqual(0, (await ExecAsync(web, "cat", "/v/secret")).ExitCode);

        Assert.Equal("1000 1001 600 one\ntwo\n", await HostAsync("sh", "-c", $"stat -c '%u %g %a' {folder}/web/file | tr '\\n' ' '; cat {folder}/web/file"));
        Assert.Equal("1000 1001 2770\n", await HostAsync("stat", "-c", "%u %g %a", $"{folder}/web"));
    }

    [Fact]
    public async Task What_the_host_mounts_later_shows_where_it_was_asked_for_and_read_only_is_as_deep_as_asked_for()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "mounts")).FullName;
        Directory.CreateDirectory(Path.Combine(folder, "late"));
        Directory.CreateDirectory(Path.Combine(folder, "early"));
        await HostAsync("mount", "--bind", folder, folder);
        try
        {
            await HostAsync("mount", "--make-shared", folder);
            await HostAsync("mount", "-t", "tmpfs", "early", Path.Combine(folder, "early"));
            string container = await StartAsync(pod, config =>
            {
                config.Mounts.Add(new Mount { ContainerPath = "/private", HostPath = folder });
                config.Mounts.Add(new Mount { ContainerPath = "/follows", HostPath = folder, Propagation = MountPropagation.PropagationHostToContainer });
                config.Mounts.Add(new Mount { ContainerPath = "/ro", HostPath = folder, Readonly = true });
                config.Mounts.Add(new Mount { ContainerPath = "/rro", HostPath = folder, Readonly = true, RecursiveReadOnly = true });
            });
            await HostAsync("mount", "-t", "tmpfs", "late", Path.Combine(folder, "late"));
            await File.WriteAllTextAsync(Path.Combine(folder, "late", "flag"), "", Token);

            Assert.Equal("", await pod.ExecAsync(container, Token, "ls", "/private/late"));
            Assert.Equal("flag\n", await pod.ExecAsync(container, Token, "ls", "/follows/late"));
            await pod.ExecAsync(container, Token, "touch", "/ro/early/file", "/private/early/other");
            Assert.NotEqual(0, (await ExecAsync(container, "touch", "/ro/file")).ExitCode);
            Assert.NotEqual(0, (await ExecAsync(container, "touch", "/rro/early/file")).ExitCode);
            ContainerStatus status = await pod.ContainerStatusAsync(container, Token);
            Assert.Equal(
                [MountPropagation.PropagationPrivate, MountPropagation.PropagationHostToContainer, MountPropagation.PropagationPrivate, MountPropagation.PropagationPrivate],
                status.Mounts.Select(mount => mount.Propagation));
            Assert.Equal([false, false, false, true], status.Mounts.Select(mount => mount.RecursiveReadOnly));
        }
        finally
        {
            await HostAsync("umount", "--recursive", folder);
        }
    }

    [Fact]
    public async Task What_a_pod_mounts_is_no_mount_of_the_host_so_the_host_can_unmount_and_remove_it()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "given")).FullName;
        string inner = Directory.CreateDirectory(Path.Combine(folder, "inner")).FullName;
        await HostAsync("mount", "-t", "tmpfs", "inner", inner);
        string container;
        try
        {
            container = await StartAsync(pod, config => config.Mounts.Add(new Mount { ContainerPath = "/v", HostPath = folder }));
            await pod.ExecAsync(container, Token, "touch", "/v/inner/file");
        }
        finally
        {
            await HostAsync("umount", "--lazy", inner);
        }

        Directory.Delete(inner);

        Assert.DoesNotContain(Path.Combine(lab.Directory, "root", "pods"), await File.ReadAllTextAsync("/proc/self/mountinfo", Token), StringComparison.Ordinal);
        Assert.Equal("", await pod.ExecAsync(container, Token, "ls", "/v"));
    }

    [Fact]
    public async Task Users_are_looked_up_in_the_image_and_told_in_the_status()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string named = await StartAsync(pod, config => config.Linux.SecurityContext = new LinuxContainerSecurityContext
        {
            RunAsUsername = "www-data", SupplementalGroups = { 4321 },
        });
        LinuxContainerUser user = (await pod.ContainerStatusAsync(named, Token)).User.Linux;
        RpcException unknown = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(
            Token, config => config.Linux.SecurityContext = new LinuxContainerSecurityContext { RunAsUsername = "4242" }, "true"));

        Assert.Equal("www-data\n", await pod.ExecAsync(named, Token, "id", "-nu"));
        Assert.Equal("33 4321\n", await pod.ExecAsync(named, Token, "id", "-G"));
        Assert.Equal((33, 33), (user.Uid, user.Gid));
        Assert.Equal([33, 4321], user.SupplementalGroups);
        Assert.Equal(StatusCode.InvalidArgument, unknown.StatusCode);
        Assert.Contains("4242", unknown.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capabilities_seccomp_paths_and_limits_are_those_asked_for()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string profile = Path.Combine(lab.Directory, "no-chmod.json");
        await File.WriteAllTextAsync(
            profile, """{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chmod","fchmodat","fchmodat2"],"action":"SCMP_ACT_ERRNO"}]}""", Token);

        string container = await StartAsync(pod, config =>
        {
            config.Annotations["vks.dev/ulimits"] = "nofile=100:200";
            config.Linux.SecurityContext = new LinuxContainerSecurityContext
            {
                RunAsUser = new Int64Value { Value = 1000 },
                Capabilities = new Capability { AddCapabilities = { "NET_BIND_SERVICE" }, DropCapabilities = { "ALL" }, AddAmbientCapabilities = { "NET_BIND_SERVICE" } },
                Seccomp = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Localhost, LocalhostRef = profile },
                MaskedPaths = { "/etc/passwd", "/sys/firmware" },
                ReadonlyPaths = { "/proc/sys" },
                NamespaceOptions = new NamespaceOption { Pid = NamespaceMode.Container, Network = NamespaceMode.Container, Ipc = NamespaceMode.Container },
            };
            config.Devices.Add(new Device { HostPath = "/dev/fuse", ContainerPath = "/dev/fuse", Permissions = "rwm" });
            config.Linux.Resources = new LinuxContainerResources
            {
                CpusetCpus = "0-63",
                MemoryLimitInBytes = 40 << 20,
                HugepageLimits = { new HugepageLimit { PageSize = "1GB" }, new HugepageLimit { PageSize = "2MB" } },
                Unified = { ["pids.max"] = "77", ["memory.high"] = "30M" },
            };
        });
        string status = await pod.ExecAsync(container, Token, "cat", "/proc/self/status");

        Assert.Contains("CapEff:\t0000000000000400", status, StringComparison.Ordinal);
        Assert.Contains("CapAmb:\t0000000000000400", status, StringComparison.Ordinal);
        Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
        Assert.NotEqual(0, (await ExecAsync(container, "chmod", "700", "/tmp")).ExitCode);
        Assert.Equal("", await pod.ExecAsync(container, Token, "cat", "/etc/passwd"));
        Assert.Equal("100 200\n", await pod.ExecAsync(container, Token, "sh", "-c", "echo $(ulimit -Sn) $(ulimit -Hn)"));
        Assert.Equal("77 31457280 41943040 0\n", await pod.ExecAsync(
            container, Token, "sh", "-c", "cd /sys/fs/cgroup; echo $(cat pids.max memory.high memory.max hugetlb.2MB.max)"));
        Assert.Equal("lo\n", await pod.ExecAsync(container, Token, "ls", "/sys/class/net"));
        Assert.StartsWith("crw", await pod.ExecAsync(container, Token, "ls", "-l", "/dev/fuse"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Containers_of_a_pod_share_its_processes_and_names_as_asked_and_its_kernel_parameters_always()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.SecurityContext = new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption { Pid = NamespaceMode.Pod, Ipc = NamespaceMode.Pod } };
        config.Linux.Sysctls["kernel.shm_rmid_forced"] = "1";
        config.Linux.Sysctls["fs.mqueue.msg_max"] = "100";
        config.Linux.Sysctls["net.ipv4.ip_local_port_range"] = "2000 3000";
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);

        string first = await StartAsync(pod, Scoped(NamespaceMode.Pod), "sleep", "4711");
        string second = await StartAsync(pod, Scoped(NamespaceMode.Pod));
        string node = await StartAsync(pod, Scoped(NamespaceMode.Node));
        string alone = await StartAsync(pod, Scoped(NamespaceMode.Container));
        string joined = await StartAsync(pod, made => made.Linux.SecurityContext = new LinuxContainerSecurityContext
        {
            NamespaceOptions = new NamespaceOption { Pid = NamespaceMode.Target, TargetId = alone },
        });

        Assert.Contains("sleep 4711", await pod.ExecAsync(second, Token, "ps"), StringComparison.Ordinal);
        Assert.Contains("sleep 4711", await pod.ExecAsync(node, Token, "ps"), StringComparison.Ordinal);
        Assert.DoesNotContain("sleep 4711", await pod.ExecAsync(alone, Token, "ps"), StringComparison.Ordinal);
        Assert.Equal(await pod.ExecAsync(alone, Token, "readlink", "/proc/1/ns/pid"), await pod.ExecAsync(joined, Token, "readlink", "/proc/self/ns/pid"));
        await pod.ExecAsync(first, Token, "sh", "-c", "echo shared > /dev/shm/file");
        Assert.Equal("shared\n", await pod.ExecAsync(alone, Token, "cat", "/dev/shm/file"));
        Assert.Equal("1 100 2000 3000\n", await pod.ExecAsync(
            first, Token, "sh", "-c", "cd /proc/sys; echo $(cat kernel/shm_rmid_forced fs/mqueue/msg_max net/ipv4/ip_local_port_range)"));
        Assert.Equal($"{config.Hostname}\n", await pod.ExecAsync(first, Token, "sh", "-c", "[ $(hostname) = $HOSTNAME ] && echo $HOSTNAME"));
        NamespaceOption told = (await pod.StatusAsync(Token)).Linux.Namespaces.Options;
        Assert.Equal((NamespaceMode.Pod, NamespaceMode.Pod, NamespaceMode.Pod), (told.Pid, told.Ipc, told.Network));

        static Action<ContainerConfig> Scoped(NamespaceMode pid) => made =>
            made.Linux.SecurityContext = new LinuxContainerSecurityContext { NamespaceOptions = new NamespaceOption { Pid = pid } };
    }

    [Fact]
    public async Task A_kernel_parameter_that_does_not_exist_is_the_callers_mistake_and_leaves_nothing()
    {
        LeakCheck before = lab.TakeLeakCheck();
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Linux.Sysctls["net.ipv4.no_such_parameter"] = "1";

        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => PodUnderTest.RunAsync(lab, Token, config));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("no_such_parameter", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Empty(before.Differences(await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token)));
    }

    private async Task<string> StartAsync(PodUnderTest pod, Action<ContainerConfig> change, params string[] command)
    {
        string id = await pod.CreateAsync(Token, change, command.Length == 0 ? ["sleep", "1000"] : command);
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private async Task<ExecSyncResponse> ExecAsync(string container, params string[] command) =>
        await lab.Cri.Runtime.ExecSyncAsync(new ExecSyncRequest { ContainerId = container, Cmd = { command }, Timeout = 30 }, cancellationToken: Token);

    private static async Task<string> HostAsync(string program, params string[] arguments)
    {
        BufferedCommandResult result = await Cli.Wrap(program).WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(Token);
        Assert.True(result.IsSuccess, $"{program} {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.StandardError}");
        return result.StandardOutput;
    }
}
