using System.Diagnostics;
using Vks.Spherelet.Cri.V1;
using Vks.Spherelet.Protos;

namespace Vks.Spherelet.Client;

/// <summary>One pod with one container, taken through its life by CRI calls alone, each call timed.</summary>
internal sealed class DemoPod(CriClient client, string image, string name)
{
    private readonly List<(string Stage, TimeSpan Elapsed)> _stages = [];

    /// <summary>Namespace that demo pods are made in, so that they can be told from a kubelet's.</summary>
    public const string Namespace = "vks-demo";

    /// <summary>The calls made so far, in order.</summary>
    public IReadOnlyList<(string Stage, TimeSpan Elapsed)> Stages => _stages;

    /// <summary>The pod sandbox id, once it runs.</summary>
    public string PodId { get; private set; } = "";

    /// <summary>The container id, once it is made.</summary>
    public string ContainerId { get; private set; } = "";

    private PodSandboxConfig Config => new()
    {
        Metadata = new PodSandboxMetadata { Name = name, Namespace = Namespace, Uid = name, Attempt = 0 },
        Hostname = name,
        LogDirectory = $"/var/log/pods/{Namespace}_{name}_{name}",
        Labels = { ["app"] = "vks-demo" },
        Linux = new LinuxPodSandboxConfig(),
    };

    /// <summary>Pulls the image.</summary>
    public Task<PullImageResponse> PullAsync(CancellationToken cancellationToken) =>
        TimeAsync("PullImage", () => client.Images.PullImageAsync(
            new PullImageRequest { Image = new ImageSpec { Image = image } }, cancellationToken: cancellationToken).ResponseAsync);

    /// <summary>Starts sandbox and container. What was made stays when a later call fails; <see cref="RemoveAsync"/> takes it away.</summary>
    /// <param name="command">Command of the container, or empty for the image's own.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task RunAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        PodId = (await TimeAsync("RunPodSandbox", () => client.Runtime.RunPodSandboxAsync(
            new RunPodSandboxRequest { Config = Config }, cancellationToken: cancellationToken).ResponseAsync)).PodSandboxId;
        ContainerId = (await TimeAsync("CreateContainer", () => client.Runtime.CreateContainerAsync(
            new CreateContainerRequest
            {
                PodSandboxId = PodId,
                SandboxConfig = Config,
                Config = new ContainerConfig
                {
                    Metadata = new ContainerMetadata { Name = "main", Attempt = 0 },
                    Image = new ImageSpec { Image = image },
                    Command = { command },
                    LogPath = "main/0.log",
                    Linux = new LinuxContainerConfig(),
                },
            }, cancellationToken: cancellationToken).ResponseAsync)).ContainerId;
        await TimeAsync("StartContainer", () => client.Runtime.StartContainerAsync(
            new StartContainerRequest { ContainerId = ContainerId }, cancellationToken: cancellationToken).ResponseAsync);
    }

    /// <summary>The pod's primary address.</summary>
    public async Task<string> GetAddressAsync(CancellationToken cancellationToken) =>
        (await client.Runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = PodId }, cancellationToken: cancellationToken)).Status.Network.Ip;

    /// <summary>Runs a command in the container.</summary>
    public Task<ExecSyncResponse> ExecAsync(IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        TimeAsync("ExecSync", () => client.Runtime.ExecSyncAsync(
            new ExecSyncRequest { ContainerId = ContainerId, Cmd = { command }, Timeout = 30 }, cancellationToken: cancellationToken).ResponseAsync);

    /// <summary>Stops and removes the pod.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (PodId.Length == 0)
        {
            return;
        }

        await TimeAsync("StopPodSandbox", () => client.Runtime.StopPodSandboxAsync(
            new StopPodSandboxRequest { PodSandboxId = PodId }, cancellationToken: cancellationToken).ResponseAsync);
        await TimeAsync("RemovePodSandbox", () => client.Runtime.RemovePodSandboxAsync(
            new RemovePodSandboxRequest { PodSandboxId = PodId }, cancellationToken: cancellationToken).ResponseAsync);
        PodId = "";
    }

    /// <summary>Removes every demo pod that an earlier run left.</summary>
    public static async Task RemoveLeftoversAsync(CriClient client, CancellationToken cancellationToken)
    {
        ListPodSandboxResponse pods = await client.Runtime.ListPodSandboxAsync(
            new ListPodSandboxRequest { Filter = new PodSandboxFilter { LabelSelector = { ["app"] = "vks-demo" } } }, cancellationToken: cancellationToken);
        foreach (PodSandbox pod in pods.Items)
        {
            await client.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
            await client.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = pod.Id }, cancellationToken: cancellationToken);
        }
    }

    private async Task<T> TimeAsync<T>(string stage, Func<Task<T>> call)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            return await call();
        }
        finally
        {
            _stages.Add((stage, Stopwatch.GetElapsedTime(start)));
        }
    }
}
