using System.Text.Json;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Nri;
using Vks.Spherelet.Nri.Wire;
using Vks.Tests.Kit;
using CreateContainerResponse = Vks.Spherelet.Nri.Wire.CreateContainerResponse;
using Event = Vks.Spherelet.Nri.Wire.Event;
using KeyValue = Vks.Spherelet.Nri.Wire.KeyValue;
using Mount = Vks.Spherelet.Nri.Wire.Mount;

namespace Vks.Tests.EndToEnd;

/// <summary>Plugins that take part in the life of pods by NRI, against a real daemon and real guests.</summary>
[Collection(NodeCollection.Name)]
public sealed class NriTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RuntimeService.RuntimeServiceClient Runtime => lab.Cri.Runtime;

    [Fact]
    public async Task A_plugin_is_told_the_life_of_a_pod_and_its_container_in_order()
    {
        (NriTestPlugin plugin, _) = await JoinAsync("00", "witness");
        await using NriTestPlugin connected = plugin;
        string podId, container;
        await using (PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token))
        {
            podId = pod.Id;
            container = await pod.StartAsync(Token, "sleep", "1000");
            await Runtime.UpdatePodSandboxResourcesAsync(
                new UpdatePodSandboxResourcesRequest { PodSandboxId = pod.Id, Resources = new LinuxContainerResources { CpuPeriod = 100_000, CpuQuota = 50_000 } }, cancellationToken: Token);
            await Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = container, Timeout = 0 }, cancellationToken: Token);
            await Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: Token);
        }

        Assert.Equal("vks", plugin.Configured.RuntimeName);
        Assert.Equal(
            [Event.RunPodSandbox, Event.UpdatePodSandbox, Event.PostUpdatePodSandbox, Event.StopPodSandbox, Event.RemovePodSandbox], plugin.EventsOf(podId));
        Assert.Equal(
            [Event.CreateContainer, Event.PostCreateContainer, Event.StartContainer, Event.PostStartContainer, Event.StopContainer, Event.RemoveContainer],
            plugin.EventsOf(container));
        Event[] all = [.. plugin.Told.Where(one => one.Id == podId || one.Id == container).Select(one => one.Happened)];
        Assert.True(Array.IndexOf(all, Event.StopContainer) < Array.IndexOf(all, Event.StopPodSandbox), string.Join(' ', all));
        Assert.All(plugin.Told.Where(one => one.Id == container), one => Assert.Equal("c0", one.Name));
    }

    [Fact]
    public async Task A_container_that_ends_by_itself_is_told_once_as_stopped()
    {
        (NriTestPlugin plugin, _) = await JoinAsync("00", "witness");
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sh", "-c", "exit 3");
        await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(20), Token);

        await Eventually.TrueAsync(() => Task.FromResult(plugin.EventsOf(container).Contains(Event.StopContainer)), TimeSpan.FromSeconds(10), () => lab.Daemon.Log, Token);
        await Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, cancellationToken: Token);

        Assert.Single(plugin.EventsOf(container), Event.StopContainer);
        Assert.Equal(Event.RemoveContainer, plugin.EventsOf(container)[^1]);
    }

    [Fact]
    public async Task What_a_plugin_changes_is_so_in_the_guest()
    {
        string folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "nri-volume")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "note"), "by the plugin", Token);
        (NriTestPlugin plugin, _) = await JoinAsync("10", "changer", plugin => plugin.OnCreate = request => new CreateContainerResponse
        {
            Adjust = new ContainerAdjustment
            {
                Annotations = { ["nri.test/seen"] = request.Container.Name },
                Env = { new KeyValue { Key = "ADDED", Value = "yes" }, new KeyValue { Key = "-TAKEN" } },
                Mounts =
                {
                    new Mount { Destination = "/nri", Type = "bind", Source = folder, Options = { "rbind", "ro" } },
                    new Mount { Destination = "/fast", Type = "tmpfs", Source = "tmpfs", Options = { "size=1m", "mode=0700" } },
                },
                Rlimits = { new POSIXRlimit { Type = "RLIMIT_NOFILE", Soft = 100, Hard = 200 } },
                Linux = new LinuxContainerAdjustment
                {
                    OomScoreAdj = new OptionalInt { Value = 123 },
                    Resources = new LinuxResources
                    {
                        Memory = new LinuxMemory { Limit = new OptionalInt64 { Value = 48 << 20 } }, Pids = new LinuxPids { Limit = 77 }, Unified = { ["memory.high"] = "40000000" },
                    },
                },
            },
        });
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.CreateAsync(
            Token,
            config => config.Envs.Add(new Vks.Spherelet.Cri.V1.KeyValue { Key = "TAKEN", Value = Google.Protobuf.ByteString.CopyFromUtf8("away") }),
            "sh", "-c", "env; echo files $(ulimit -Sn) $(ulimit -Hn); echo score $(cat /proc/self/oom_score_adj); echo told; exec sleep 1000");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = container }, cancellationToken: Token);

        Assert.Equal("by the plugin", await pod.ExecAsync(container, Token, "cat", "/nri/note"));
        Assert.Contains("tmpfs /fast tmpfs rw", await pod.ExecAsync(container, Token, "cat", "/proc/mounts"), StringComparison.Ordinal);
        string environment = await EnvironmentAsync(pod);
        Assert.Contains("ADDED=yes", environment, StringComparison.Ordinal);
        Assert.DoesNotContain("TAKEN", environment, StringComparison.Ordinal);
        Assert.Contains("files 100 200", environment, StringComparison.Ordinal);
        Assert.Contains("score 123", environment, StringComparison.Ordinal);
        Assert.Equal($"{48 << 20}\n77\n39997440\n", await pod.ExecAsync(container, Token, "cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/memory.high"));
        ContainerStatusResponse status = await Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = container, Verbose = true }, cancellationToken: Token);
        Assert.Equal(48 << 20, status.Status.Resources.Linux.MemoryLimitInBytes);
        Assert.Equal("c0", JsonDocument.Parse(status.Info["info"]).RootElement.GetProperty("runtimeSpec").GetProperty("annotations").GetProperty("nri.test/seen").GetString());
    }

    [Fact]
    public async Task Program_and_arguments_can_be_replaced()
    {
        (NriTestPlugin plugin, _) = await JoinAsync("10", "changer", plugin => plugin.OnCreate = _ => new CreateContainerResponse
        {
            Adjust = new ContainerAdjustment { Args = { "", "sh", "-c", "echo instead; exit 4" } },
        });
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        Assert.Equal(4, (await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(20), Token)).ExitCode);
        Assert.Contains("instead", pod.ReadLog("c0"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_for_which_a_plugin_asks_the_impossible_is_not_made_and_the_reason_names_the_plugin()
    {
        ContainerAdjustment asked = new();
        (NriTestPlugin plugin, _) = await JoinAsync("10", "dreamer", plugin => plugin.OnCreate = _ => new CreateContainerResponse { Adjust = asked });
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        (ContainerAdjustment Asked, string Says)[] impossible =
        [
            (new ContainerAdjustment { Hooks = new Hooks { Prestart = { new Hook { Path = "/bin/true" } } } }, "OCI hooks"),
            (new ContainerAdjustment { CDIDevices = { new Vks.Spherelet.Nri.Wire.CDIDevice { Name = "vendor.com/gpu=0" } } }, "vendor.com/gpu=0"),
            (new ContainerAdjustment { Linux = new LinuxContainerAdjustment { Devices = { new LinuxDevice { Path = "/dev/sda", Type = "b", Major = 8 } } } }, "/dev/sda"),
            (new ContainerAdjustment { Mounts = { new Mount { Destination = "/x", Type = "bind", Source = "/no/such/path", Options = { "rbind" } } } }, "/no/such/path"),
            (new ContainerAdjustment { Mounts = { new Mount { Destination = "/x", Type = "nfs", Source = "host:/" } } }, "nfs"),
            (new ContainerAdjustment { Linux = new LinuxContainerAdjustment { Resources = new LinuxResources { RdtClass = new OptionalString { Value = "gold" } } } }, "rdt_class"),
        ];

        foreach ((ContainerAdjustment adjustment, string says) in impossible)
        {
            asked = adjustment;
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, null, "true"));
            Assert.True(refused.StatusCode is StatusCode.FailedPrecondition or StatusCode.InvalidArgument, refused.Status.ToString());
            Assert.Contains(says, refused.Status.Detail, StringComparison.Ordinal);
        }

        Assert.Empty((await Runtime.ListContainersAsync(
            new ListContainersRequest { Filter = new ContainerFilter { PodSandboxId = pod.Id } }, cancellationToken: Token)).Containers);
        asked = new ContainerAdjustment();
        Assert.Equal("ok\n", await pod.ExecAsync(await pod.StartAsync(Token, "sleep", "1000"), Token, "echo", "ok"));
    }

    [Fact]
    public async Task A_pod_that_a_plugin_refuses_is_not_made_and_leaves_nothing()
    {
        LeakCheck before = lab.TakeLeakCheck();
        (NriTestPlugin plugin, _) = await JoinAsync("10", "guard", plugin => plugin.Before = happened => happened == Event.RunPodSandbox
            ? throw new TtrpcException(TtrpcCode.Unknown, "not this one", isFatal: false)
            : Task.CompletedTask);
        await using (plugin)
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => PodUnderTest.RunAsync(lab, Token));

            Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
            Assert.Contains("10-guard", refused.Status.Detail, StringComparison.Ordinal);
            Assert.Contains("not this one", refused.Status.Detail, StringComparison.Ordinal);
            await Eventually.TrueAsync(
                () => Task.FromResult(plugin.Told.Any(one => one.Happened == Event.RemovePodSandbox)), TimeSpan.FromSeconds(10), () => lab.Daemon.Log, Token);
        }

        Assert.Empty(before.Differences(await LeakCheck.SettleAsync(lab.TakeLeakCheck, before, Token)));
    }

    [Fact]
    public async Task A_plugin_that_does_not_answer_is_let_go_and_pods_go_on()
    {
        var never = new TaskCompletionSource();
        (NriTestPlugin plugin, _) = await JoinAsync("10", "sleeper", plugin => plugin.Before = happened => happened == Event.CreateContainer ? never.Task : Task.CompletedTask);
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        string first = await pod.StartAsync(Token, "sleep", "1000");
        await plugin.Ended.WaitAsync(TimeSpan.FromSeconds(10), Token);
        long begin = System.Diagnostics.Stopwatch.GetTimestamp();
        string second = await pod.CreateAsync(Token, null, "true");

        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(begin), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.NotEqual(first, second);
        Assert.Contains("NRI plugin 10-sleeper is let go, since CreateContainer failed: no answer within 2 s", lab.Daemon.Log, StringComparison.Ordinal);
        never.SetResult();
    }

    [Fact]
    public async Task A_plugin_that_hangs_up_in_the_midst_of_an_answer_does_no_harm()
    {
        NriTestPlugin? plugin = null;
        (plugin, _) = await JoinAsync("10", "quitter", one => one.Before = async happened =>
        {
            if (happened == Event.CreateContainer)
            {
                _ = plugin!.DisposeAsync().AsTask();
                await Task.Delay(Timeout.Infinite, Token).WaitAsync(TimeSpan.FromSeconds(1), Token).ContinueWith(_ => { }, TaskScheduler.Default);
            }
        });
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        Assert.Equal("ok\n", await pod.ExecAsync(await pod.StartAsync(Token, "sleep", "1000"), Token, "echo", "ok"));
    }

    [Fact]
    public async Task Plugins_are_asked_in_the_order_of_their_index_and_two_that_set_the_same_are_in_conflict()
    {
        string seen = "";
        string key = "FIRST";
        (NriTestPlugin later, _) = await JoinAsync("20", "later", plugin => plugin.OnCreate = request =>
        {
            seen = string.Join(' ', request.Container.Env);
            return new CreateContainerResponse { Adjust = new ContainerAdjustment { Env = { new KeyValue { Key = key, Value = "later" } } } };
        });
        await using NriTestPlugin connectedLater = later;
        (NriTestPlugin first, _) = await JoinAsync("05", "first", plugin => plugin.OnCreate = _ =>
            new CreateContainerResponse { Adjust = new ContainerAdjustment { Env = { new KeyValue { Key = "FIRST", Value = "first" } } } });
        await using NriTestPlugin connectedFirst = first;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        RpcException conflict = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, null, "true"));
        key = "SECOND";
        await pod.StartAsync(Token, "sh", "-c", "env; echo told; exec sleep 1000");

        Assert.Contains("FIRST=first", seen, StringComparison.Ordinal);
        Assert.Contains("05-first", conflict.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("20-later", conflict.Status.Detail, StringComparison.Ordinal);
        string environment = await EnvironmentAsync(pod, "c1");
        Assert.Contains("FIRST=first", environment, StringComparison.Ordinal);
        Assert.Contains("SECOND=later", environment, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_plugin_judges_what_another_changes()
    {
        ValidateContainerAdjustmentRequest? judged = null;
        (NriTestPlugin changer, _) = await JoinAsync("10", "changer", plugin => plugin.OnCreate = _ =>
            new CreateContainerResponse { Adjust = new ContainerAdjustment { Env = { new KeyValue { Key = "A", Value = "b" } } } });
        await using NriTestPlugin connectedChanger = changer;
        (NriTestPlugin judge, _) = await JoinAsync("90", "judge", plugin => plugin.OnValidate = request =>
        {
            judged = request;
            return new ValidateContainerAdjustmentResponse { Reject = true, Reason = "A must not be set" };
        });
        await using NriTestPlugin connectedJudge = judge;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);

        RpcException rejected = await Assert.ThrowsAsync<RpcException>(() => pod.CreateAsync(Token, null, "true"));

        Assert.Contains("A must not be set", rejected.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("10-changer", judged!.Owners.Owners[judged.Container.Id].Compound[(int)AdjustedField.Env].Owners["A"]);
        Assert.Equal(["10", "90"], judged.Plugins.Select(plugin => plugin.Index));
    }

    [Fact]
    public async Task Limits_are_changed_by_a_plugin_when_asked_and_by_itself()
    {
        (NriTestPlugin plugin, _) = await JoinAsync("10", "tuner", plugin => plugin.OnUpdate = request => new UpdateContainerResponse
        {
            Update =
            {
                new ContainerUpdate
                {
                    ContainerId = request.Container.Id,
                    Linux = new LinuxContainerUpdate { Resources = new LinuxResources { Memory = new LinuxMemory { Limit = new OptionalInt64 { Value = 80 << 20 } } } },
                },
            },
        });
        await using NriTestPlugin connected = plugin;
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string container = await pod.StartAsync(Token, "sleep", "1000");

        await Runtime.UpdateContainerResourcesAsync(
            new UpdateContainerResourcesRequest { ContainerId = container, Linux = new LinuxContainerResources { MemoryLimitInBytes = 64 << 20 } }, cancellationToken: Token);
        Assert.Equal($"{80 << 20}\n", await pod.ExecAsync(container, Token, "cat", "/sys/fs/cgroup/memory.max"));
        UpdateContainersResponse answer = await plugin.CallAsync(
            "UpdateContainers",
            new UpdateContainersRequest
            {
                Update =
                {
                    new ContainerUpdate { ContainerId = container, Linux = new LinuxContainerUpdate { Resources = new LinuxResources { Pids = new LinuxPids { Limit = 55 } } } },
                    new ContainerUpdate { ContainerId = "none", Linux = new LinuxContainerUpdate { Resources = new LinuxResources { Pids = new LinuxPids { Limit = 55 } } } },
                },
            },
            UpdateContainersResponse.Parser,
            Token);

        Assert.Equal("none", Assert.Single(answer.Failed).ContainerId);
        Assert.Equal("55\n", await pod.ExecAsync(container, Token, "cat", "/sys/fs/cgroup/pids.max"));
        Assert.Equal([Event.UpdateContainer, Event.PostUpdateContainer], plugin.EventsOf(container).Where(one => one is Event.UpdateContainer or Event.PostUpdateContainer));
    }

    [Fact]
    public async Task A_plugin_that_connects_later_is_told_what_is_there_and_only_what_it_asked_for_from_then_on()
    {
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        string running = await pod.StartAsync(Token, "sleep", "1000");
        string created = await pod.CreateAsync(Token, null, "true");

        (NriTestPlugin plugin, SynchronizeRequest found) = await JoinAsync("10", "late", plugin => plugin.Events = 1 << ((int)Event.StartContainer - 1));
        await using NriTestPlugin connected = plugin;
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = created }, cancellationToken: Token);
        await Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = created }, cancellationToken: Token);

        Vks.Spherelet.Nri.Wire.PodSandbox seen = found.Pods.Single(one => one.Id == pod.Id);
        Assert.Equal((pod.Config.Metadata.Name, "test", pod.Config.Metadata.Uid), (seen.Name, seen.Namespace, seen.Uid));
        Assert.NotEmpty(seen.Ips);
        Assert.StartsWith("/", seen.Linux.Namespaces.Single(one => one.Type == "network").Path, StringComparison.Ordinal);
        Vks.Spherelet.Nri.Wire.Container container = found.Containers.Single(one => one.Id == running);
        Assert.Equal(Vks.Spherelet.Nri.Wire.ContainerState.ContainerRunning, container.State);
        Assert.Equal(["sleep", "1000"], container.Args);
        Assert.Contains(container.Env, entry => entry.StartsWith("HOSTNAME=", StringComparison.Ordinal));
        Assert.Equal([Event.StartContainer], plugin.EventsOf(created));
    }

    [Fact]
    public async Task An_installed_plugin_is_started_with_the_daemon_and_ends_with_it()
    {
        string plugins = Directory.CreateDirectory(Path.Combine(lab.Directory, "plugins")).FullName;
        string settings = Directory.CreateDirectory(Path.Combine(lab.Directory, "plugins.conf")).FullName;
        string program = Path.Combine(plugins, "42-written-elsewhere");
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token);
        try
        {
            File.Copy(RepositoryRoot.Combine("tests", "Kit", "nri-plugin.py"), program);
            File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
            await File.WriteAllTextAsync(Path.Combine(plugins, "no-index"), "#!/bin/false\n", Token);
            File.SetUnixFileMode(Path.Combine(plugins, "no-index"), (UnixFileMode)0b111_101_101);
            await File.WriteAllTextAsync(Path.Combine(plugins, "43-broken"), "#!/bin/sh\necho cannot go on >&2\nexit 1\n", Token);
            File.SetUnixFileMode(Path.Combine(plugins, "43-broken"), (UnixFileMode)0b111_101_101);
            await File.WriteAllTextAsync(Path.Combine(settings, "written-elsewhere.conf"), "hello", Token);

            await lab.RestartDaemonAsync(Token);
            string container = await pod.StartAsync(Token, "true");
            await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(20), Token);
            await Eventually.TrueAsync(() => Task.FromResult(Told().Contains("StopContainer ")), TimeSpan.FromSeconds(10), () => lab.Daemon.Log, Token);

            Assert.Equal(
                ["42 written-elsewhere", "Configure hello", "Synchronize ", "CreateContainer ", "PostCreateContainer ", "StartContainer "],
                Told().Where(line => line is not ("ValidateContainerAdjustment " or "PostStartContainer " or "StopContainer ")));
            Assert.Contains("43-broken does not take part", lab.Daemon.Log, StringComparison.Ordinal);
            Assert.Contains("cannot go on", lab.Daemon.Log, StringComparison.Ordinal);
            Assert.Contains("no-index is not started as an NRI plugin", lab.Daemon.Log, StringComparison.Ordinal);
            await lab.Daemon.StopAsync();
            Assert.Contains("Shutdown ", Told());
        }
        finally
        {
            Directory.Delete(plugins, recursive: true);
            Directory.Delete(settings, recursive: true);
            await lab.RestartDaemonAsync(Token);
        }

        Assert.DoesNotContain(
            Directory.GetDirectories("/proc").Select(folder => Path.Combine(folder, "cmdline")).Where(File.Exists).Select(ReadOrNothing),
            line => line.Contains("42-written-elsewhere", StringComparison.Ordinal));

        string[] Told() => File.Exists(program + ".told") ? File.ReadAllLines(program + ".told") : [];

        static string ReadOrNothing(string path)
        {
            try
            {
                return File.ReadAllText(path);
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    /// <summary>What a container printed of its environment.</summary>
    private async Task<string> EnvironmentAsync(PodUnderTest pod, string name = "c0")
    {
        await Eventually.TrueAsync(
            () => Task.FromResult(pod.ReadLog(name).Contains(" told", StringComparison.Ordinal)), TimeSpan.FromSeconds(10), () => lab.Daemon.Log, Token);
        return pod.ReadLog(name);
    }

    private Task<(NriTestPlugin Plugin, SynchronizeRequest Found)> JoinAsync(string index, string name, Action<NriTestPlugin>? setUp = null) =>
        NriTestPlugin.JoinAsync(lab.Daemon.NriSocketPath, index, name, Token, setUp);
}
