using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.EndToEnd;

/// <summary>Calls about the node and lists of what is on it, over one pod that boots once.</summary>
[Collection(NodeCollection.Name)]
public sealed class RuntimeCallTests(NodeLab lab)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RuntimeService.RuntimeServiceClient Runtime => lab.Cri.Runtime;

    [Fact]
    public async Task Status_tells_readiness_handlers_and_features()
    {
        StatusResponse plain = await Runtime.StatusAsync(new StatusRequest(), cancellationToken: Token);
        StatusResponse verbose = await Runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken: Token);

        Assert.Equal(["NetworkReady", "RuntimeReady"], plain.Status.Conditions.Where(condition => condition.Status).Select(condition => condition.Type).Order());
        Assert.Equal(["", "crx", "crx-isolated"], plain.RuntimeHandlers.Select(handler => handler.Name).Order());
        Assert.All(plain.RuntimeHandlers, handler => Assert.NotNull(handler.Features));
        Assert.Empty(plain.Info);
        Assert.True(JsonDocument.Parse(verbose.Info["info"]).RootElement.GetProperty("accelerator").GetString() is "tcg" or "kvm");
        JsonElement settings = JsonDocument.Parse(verbose.Info["config"]).RootElement;
        Assert.Equal(lab.Daemon.SocketPath, settings.GetProperty("socketPath").GetString());
        Assert.Equal(lab.BridgeName, settings.GetProperty("bridgeName").GetString());
    }

    [Fact]
    public async Task RuntimeConfig_names_the_cgroup_driver_and_UpdateRuntimeConfig_takes_ranges_and_refuses_rubbish()
    {
        RuntimeConfigResponse config = await Runtime.RuntimeConfigAsync(new RuntimeConfigRequest(), cancellationToken: Token);

        Assert.Equal(CgroupDriver.Cgroupfs, config.Linux.CgroupDriver);
        foreach (string good in new[] { "", "10.1.0.0/24", "10.1.0.0/24,fd00::/64" })
        {
            await Runtime.UpdateRuntimeConfigAsync(Update(good), cancellationToken: Token);
        }

        await Runtime.UpdateRuntimeConfigAsync(new UpdateRuntimeConfigRequest(), cancellationToken: Token);
        foreach (string bad in new[] { "10.1.0.0", "ten", "10.1.0.0/24,10.2.0.0/24,10.3.0.0/24", new string('9', 100_000) })
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => Runtime.UpdateRuntimeConfigAsync(Update(bad), cancellationToken: Token).ResponseAsync);
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        }

        static UpdateRuntimeConfigRequest Update(string ranges) => new() { RuntimeConfig = new RuntimeConfig { NetworkConfig = new NetworkConfig { PodCidr = ranges } } };
    }

    [Fact]
    public async Task An_unknown_runtime_handler_is_refused_and_an_isolated_pod_shares_no_memory()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => Runtime.RunPodSandboxAsync(
            new RunPodSandboxRequest { Config = config, RuntimeHandler = "runc" }, cancellationToken: Token).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("crx-isolated", refused.Status.Detail, StringComparison.Ordinal);

        string pod = (await Runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config, RuntimeHandler = "crx-isolated" }, cancellationToken: Token)).PodSandboxId;
        try
        {
            PodSandboxStatusResponse status = await Runtime.PodSandboxStatusAsync(
                new PodSandboxStatusRequest { PodSandboxId = pod, Verbose = true }, cancellationToken: Token);
            int pid = JsonDocument.Parse(status.Info["info"]).RootElement.GetProperty("pid").GetInt32();
            string arguments = await File.ReadAllTextAsync($"/proc/{pid}/cmdline", Token);
            string flags = FlagsOfLargestMapping(await File.ReadAllLinesAsync($"/proc/{pid}/smaps", Token));

            Assert.Equal("crx-isolated", status.Status.RuntimeHandler);
            Assert.Contains("memory-backend-ram,id=ram0,size=512M,share=off,merge=off,dump=off", arguments, StringComparison.Ordinal);
            Assert.DoesNotContain(" mg", flags, StringComparison.Ordinal);
            Assert.Contains(" dd", flags, StringComparison.Ordinal);
        }
        finally
        {
            await Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod }, cancellationToken: CancellationToken.None);
        }
    }

    [Fact]
    public async Task Lists_and_streams_give_the_same_items_and_keep_to_their_filters()
    {
        PodSandboxConfig config = PodUnderTest.NewConfig(lab);
        config.Labels["tier"] = "front";
        await using PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token, config);
        string running = await pod.CreateAsync(Token, made => made.Labels["role"] = "server", "sleep", "1000");
        string created = await pod.CreateAsync(Token, null, "true");
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = running }, cancellationToken: Token);

        Assert.Equal(pod.Id, Assert.Single(await PodsAsync(new PodSandboxFilter { Id = pod.Id[..20] })).Id);
        Assert.Equal(pod.Id, Assert.Single(await PodsAsync(new PodSandboxFilter { LabelSelector = { ["tier"] = "front" } })).Id);
        Assert.Empty(await PodsAsync(new PodSandboxFilter { Id = pod.Id, State = new PodSandboxStateValue { State = PodSandboxState.SandboxNotready } }));
        Assert.Equal([created, running], (await ContainersAsync(new ContainerFilter { PodSandboxId = pod.Id })).Select(container => container.Id));
        Assert.Equal(running, Assert.Single(await ContainersAsync(new ContainerFilter { LabelSelector = { ["role"] = "server" } })).Id);
        Assert.Equal(created, Assert.Single(await ContainersAsync(
            new ContainerFilter { PodSandboxId = pod.Id, State = new ContainerStateValue { State = ContainerState.ContainerCreated } })).Id);
        Assert.Empty(await ContainersAsync(new ContainerFilter { Id = running, LabelSelector = { ["role"] = "client" } }));

        PodSandboxStatusResponse status = await Runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = pod.Id }, cancellationToken: Token);
        Assert.Equal([running, created], status.ContainersStatuses.Select(container => container.Id));
        Assert.InRange(TimeProvider.System.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(status.Timestamp / 1_000_000), TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(30));

        ListImagesResponse images = await lab.Cri.Images.ListImagesAsync(new ListImagesRequest(), cancellationToken: Token);
        using AsyncServerStreamingCall<StreamImagesResponse> streamed = lab.Cri.Images.StreamImages(new StreamImagesRequest(), cancellationToken: Token);
        Assert.Equal(images.Images, (await streamed.ResponseStream.ReadAllAsync(Token).ToListAsync(Token)).SelectMany(piece => piece.Images));
    }

    [Fact]
    public async Task Events_tell_the_life_of_a_pod_and_its_container_in_order_with_their_statuses()
    {
        using AsyncServerStreamingCall<ContainerEventResponse> events = Runtime.GetContainerEvents(new GetEventsRequest(), cancellationToken: Token);
        await events.ResponseHeadersAsync.WaitAsync(TimeSpan.FromSeconds(10), Token);
        string podId;
        string container;
        await using (PodUnderTest pod = await PodUnderTest.RunAsync(lab, Token))
        {
            podId = pod.Id;
            container = await pod.StartAsync(Token, "true");
            await pod.WaitExitedAsync(container, TimeSpan.FromSeconds(20), Token);
            await Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = container }, cancellationToken: Token);
        }

        var seen = new List<ContainerEventResponse>();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(TimeSpan.FromSeconds(20));
        while (seen.LastOrDefault() is not { ContainerEventType: ContainerEventType.ContainerDeletedEvent } last || last.ContainerId != podId)
        {
            Assert.True(await events.ResponseStream.MoveNext(deadline.Token), "the stream ended");
            seen.Add(events.ResponseStream.Current);
        }

        ContainerEventType[] life =
            [ContainerEventType.ContainerCreatedEvent, ContainerEventType.ContainerStartedEvent, ContainerEventType.ContainerStoppedEvent, ContainerEventType.ContainerDeletedEvent];
        Assert.Equal(life, seen.Where(one => one.ContainerId == container).Select(one => one.ContainerEventType));
        Assert.Equal(life, seen.Where(one => one.ContainerId == podId).Select(one => one.ContainerEventType));
        Assert.Equal(seen.Select(one => one.CreatedAt).Order(), seen.Select(one => one.CreatedAt));
        Assert.All(seen, one => Assert.Equal(podId, one.PodSandboxStatus.Id));
        ContainerEventResponse stopped = seen.Single(one => one.ContainerId == container && one.ContainerEventType == ContainerEventType.ContainerStoppedEvent);
        Assert.Equal(ContainerState.ContainerExited, Assert.Single(stopped.ContainersStatuses).State);
        Assert.Equal(PodSandboxState.SandboxNotready, seen[^1].PodSandboxStatus.State);
    }

    /// <summary>The guest's memory is by far the largest; see VmFlags in proc_pid_smaps(5).</summary>
    private static string FlagsOfLargestMapping(string[] smaps)
    {
        (long size, long largest, string flags) = (0, 0, "");
        foreach (string line in smaps)
        {
            if (line.StartsWith("Size:", StringComparison.Ordinal))
            {
                size = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
            }
            else if (line.StartsWith("VmFlags:", StringComparison.Ordinal) && size > largest)
            {
                (largest, flags) = (size, line);
            }
        }

        return flags;
    }

    /// <summary>The list, after it was seen that the stream gives the same.</summary>
    private async Task<IReadOnlyList<PodSandbox>> PodsAsync(PodSandboxFilter filter)
    {
        ListPodSandboxResponse list = await Runtime.ListPodSandboxAsync(new ListPodSandboxRequest { Filter = filter }, cancellationToken: Token);
        using AsyncServerStreamingCall<StreamPodSandboxesResponse> stream = Runtime.StreamPodSandboxes(new StreamPodSandboxesRequest { Filter = filter }, cancellationToken: Token);
        Assert.Equal(list.Items, (await stream.ResponseStream.ReadAllAsync(Token).ToListAsync(Token)).SelectMany(piece => piece.PodSandboxes));
        return list.Items;
    }

    private async Task<IReadOnlyList<Container>> ContainersAsync(ContainerFilter filter)
    {
        ListContainersResponse list = await Runtime.ListContainersAsync(new ListContainersRequest { Filter = filter }, cancellationToken: Token);
        using AsyncServerStreamingCall<StreamContainersResponse> stream = Runtime.StreamContainers(new StreamContainersRequest { Filter = filter }, cancellationToken: Token);
        Assert.Equal(list.Containers, (await stream.ResponseStream.ReadAllAsync(Token).ToListAsync(Token)).SelectMany(piece => piece.Containers));
        return list.Containers;
    }
}
