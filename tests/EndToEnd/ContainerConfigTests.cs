using System.Net.Sockets;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>What a container is asked to be is what it is, inside its guest.</summary>
[Collection(NodeCollection.Name)]
public sealed class ContainerConfigTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Host_directories_and_files_show_in_the_container_and_what_it_writes_shows_on_the_host()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "volume")).FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_111_111);
        await File.WriteAllTextAsync(Path.Combine(folder, "note"), "from the host", Token);
        string file = Path.Combine(lab.Directory, "single file");
        await File.WriteAllTextAsync(file, "one file", Token);

        string container = await StartAsync(pod, config =>
        {
            config.Mounts.Add(new Mount { ContainerPath = "/volume", HostPath = folder });
            config.Mounts.Add(new Mount { ContainerPath = "/fixed", HostPath = folder, Readonly = true });
            config.Mounts.Add(new Mount { ContainerPath = "/etc/single", HostPath = file, Readonly = true });
        });

        Assert.Equal("from the host", await pod.ExecAsync(container, Token, "cat", "/volume/note"));
        Assert.Equal("one file", await pod.ExecAsync(container, Token, "cat", "/etc/single"));
        await pod.ExecAsync(container, Token, "sh", "-c", "echo from the guest > /volume/answer");
        Assert.Equal("from the guest\n", await File.ReadAllTextAsync(Path.Combine(folder, "answer"), Token));
        Assert.NotEqual(0, (await ExecAsync(container, "sh", "-c", "echo no > /fixed/answer")).ExitCode);
        await lab.Cri.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, cancellationToken: Token);
        Assert.True(File.Exists(file) && File.Exists(Path.Combine(folder, "note")), "removing the container took the host's files along");
    }

    [Fact]
    public async Task A_mount_of_what_cannot_be_shared_is_refused_and_leaves_nothing()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        LeakCheck before = lab.TakeLeakCheck();
        string path = Path.Combine(lab.Directory, "a.sock");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));

        foreach (string wrong in (string[])[path, Path.Combine(lab.Directory, "not-there")])
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, config =>
            {
                config.Mounts.Add(new Mount { ContainerPath = "/fine", HostPath = lab.Directory });
                config.Mounts.Add(new Mount { ContainerPath = "/wrong", HostPath = wrong });
            }, "true"));

            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.Contains(wrong, refused.Status.Detail, StringComparison.Ordinal);
        }

        File.Delete(path);
        Assert.Empty(before.Differences(await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token)));
    }

    [Fact]
    public async Task User_groups_capabilities_and_read_only_root_are_those_asked_for()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string container = await StartAsync(pod, config => config.Linux.SecurityContext = new LinuxContainerSecurityContext
        {
            RunAsUser = new Int64Value { Value = 1234 },
            RunAsGroup = new Int64Value { Value = 5678 },
            SupplementalGroups = { 99 },
            ReadonlyRootfs = true,
            NoNewPrivs = true,
            Capabilities = new Capability { DropCapabilities = { "ALL" } },
            Seccomp = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.RuntimeDefault },
        });
        string status = await pod.ExecAsync(container, Token, "cat", "/proc/self/status");

        Assert.Contains("Uid:\t1234\t", status, StringComparison.Ordinal);
        Assert.Contains("Gid:\t5678\t", status, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^Groups:\s.*\b99\b", status);
        Assert.Contains("CapBnd:\t0000000000000000", status, StringComparison.Ordinal);
        Assert.Contains("NoNewPrivs:\t1", status, StringComparison.Ordinal);
        Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
        Assert.NotEqual(0, (await ExecAsync(container, "touch", "/file")).ExitCode);
    }

    [Fact]
    public async Task A_privileged_container_has_every_capability_and_no_filter()
    {
        PodSandboxConfig privileged = PodUnderTest.NewConfig(lab);
        privileged.Linux.SecurityContext = new LinuxSandboxSecurityContext { Privileged = true };
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, privileged);

        string container = await StartAsync(pod, config => config.Linux.SecurityContext = new LinuxContainerSecurityContext { Privileged = true });
        string status = await pod.ExecAsync(container, Token, "cat", "/proc/self/status");

        Assert.Contains("CapEff:\t000001ffffffffff", status, StringComparison.Ordinal);
        Assert.Contains("Seccomp:\t0", status, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Variables_and_working_directory_reach_the_program()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string container = await StartAsync(pod, config =>
        {
            config.Envs.Add(new KeyValue { Key = "GREETING", Value = ByteString.CopyFromUtf8("grüß dich = \n zwei Zeilen") });
            config.WorkingDir = "/made/for/this";
        });

        Assert.Contains("GREETING=grüß dich = \n zwei Zeilen\n", await pod.ExecAsync(container, Token, "env"), StringComparison.Ordinal);
        Assert.Equal("/made/for/this\n", await pod.ExecAsync(container, Token, "pwd"));
    }

    [Fact]
    public async Task A_moved_log_goes_on_in_a_new_file_and_no_line_is_lost()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, _ => { }, "sh", "-c", "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line-$i; sleep 0.01; done; echo -n end");
        string path = (await pod.ContainerStatusAsync(container, Token)).LogPath;
        await Eventually.TrueAsync(() => Task.FromResult(new FileInfo(path).Length > 500), TimeSpan.FromSeconds(10), () => lab.Daemon.Log, Token);

        File.Move(path, path + ".1");
        await lab.Cri.Runtime.ReopenContainerLogAsync(new ReopenContainerLogRequest { ContainerId = container }, cancellationToken: Token);
        await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(40), Token);
        await Eventually.TrueAsync(async () => (await File.ReadAllTextAsync(path, Token)).EndsWith(" F end\n", StringComparison.Ordinal), TimeSpan.FromSeconds(5), () => lab.Daemon.Log, Token);

        string[] lines = [.. await File.ReadAllLinesAsync(path + ".1", Token), .. await File.ReadAllLinesAsync(path, Token)];
        Assert.Equal([.. Enumerable.Range(1, 100).Select(number => $"line-{number}"), "end"], lines.Select(line => line.Split(' ', 4)[3]));
    }

    [Fact]
    public async Task An_exec_answers_with_both_streams_its_code_and_much_output()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, _ => { });

        ExecSyncResponse both = await ExecAsync(container, "sh", "-c", "echo out; echo err >&2; exit 42");
        ExecSyncResponse much = await ExecAsync(container, "sh", "-c", "head -c 3000000 /dev/zero");

        Assert.Equal(("out\n", "err\n", 42), (both.Stdout.ToStringUtf8(), both.Stderr.ToStringUtf8(), both.ExitCode));
        Assert.Equal(3_000_000, much.Stdout.Length);
    }

    [Fact]
    public async Task Lists_show_what_the_filter_asks_for()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string running = await StartAsync(pod, config => config.Labels["role"] = "web");
        string made = await pod.CreateAsync(Token, config => config.Labels["role"] = "db", "true");

        Assert.Equal([running], await ListAsync(new ContainerFilter { PodSandboxId = pod.Id, State = new ContainerStateValue { State = ContainerState.ContainerRunning } }));
        Assert.Equal([made], await ListAsync(new ContainerFilter { PodSandboxId = pod.Id, LabelSelector = { ["role"] = "db" } }));
        Assert.Equal([running], await ListAsync(new ContainerFilter { Id = running[..13] }));
        Assert.Equal(2, (await ListAsync(new ContainerFilter { PodSandboxId = pod.Id[..20] })).Length);
        Assert.Equal(running, (await lab.Cri.Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = running[..20] }, cancellationToken: Token)).Status.Id);
    }

    [Fact]
    public async Task A_status_in_full_tells_of_the_machine_behind_the_pod()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await StartAsync(pod, config => config.Envs.Add(new KeyValue { Key = "TOLD", Value = Google.Protobuf.ByteString.CopyFromUtf8("yes") }));

        PodSandboxStatusResponse response = await lab.Cri.Runtime.PodSandboxStatusAsync(
            new PodSandboxStatusRequest { PodSandboxId = pod.Id, Verbose = true }, cancellationToken: Token);
        ContainerStatusResponse program = await lab.Cri.Runtime.ContainerStatusAsync(
            new ContainerStatusRequest { ContainerId = container, Verbose = true }, cancellationToken: Token);
        StatusResponse node = await lab.Cri.Runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken: Token);

        Assert.Contains("\"guestKernel\":\"6.", response.Info["info"], StringComparison.Ordinal);
        Assert.Contains("\"machineState\":\"Running\"", response.Info["info"], StringComparison.Ordinal);
        using JsonDocument machine = JsonDocument.Parse(response.Info["info"]);
        using JsonDocument told = JsonDocument.Parse(program.Info["info"]);
        Assert.Equal(machine.RootElement.GetProperty("pid").GetInt32(), told.RootElement.GetProperty("pid").GetInt32());
        Assert.Equal(pod.Config.Hostname, machine.RootElement.GetProperty("config").GetProperty("hostname").GetString());
        Assert.Equal("TOLD=yes", told.RootElement.GetProperty("config").GetProperty("env")[0].GetString());
        Assert.True(told.RootElement.GetProperty("guestPid").GetInt32() > 1);
        JsonElement spec = told.RootElement.GetProperty("runtimeSpec");
        Assert.Contains("TOLD=yes", spec.GetProperty("process").GetProperty("env").EnumerateArray().Select(entry => entry.GetString()));
        Assert.Contains(
            spec.GetProperty("linux").GetProperty("namespaces").EnumerateArray(),
            one => one.GetProperty("type").GetString() == "pid" && one.GetProperty("path").GetString()!.StartsWith("/proc/", StringComparison.Ordinal));
        Assert.All(node.Status.Conditions, condition => Assert.True(condition.Status, condition.ToString()));
        Assert.Equal(["NetworkReady", "RuntimeReady"], node.Status.Conditions.Select(condition => condition.Type).Order());
    }

    private async Task<string> StartAsync(PodUnderTest pod, Action<ContainerConfig> change, params string[] command)
    {
        string id = await pod.CreateAsync(Token, change, command.Length == 0 ? ["sleep", "1000"] : command);
        await lab.Cri.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancellationToken: Token);
        return id;
    }

    private async Task<ExecSyncResponse> ExecAsync(string container, params string[] command) =>
        await lab.Cri.Runtime.ExecSyncAsync(new ExecSyncRequest { ContainerId = container, Cmd = { command }, Timeout = 30 }, cancellationToken: Token);

    private async Task<string[]> ListAsync(ContainerFilter filter) =>
        [.. (await lab.Cri.Runtime.ListContainersAsync(new ListContainersRequest { Filter = filter }, cancellationToken: Token)).Containers.Select(container => container.Id)];
}
