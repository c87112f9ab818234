using Vks.Runtime.Guest;
using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;
using Empty = Vks.Spherelet.Nri.Wire.Empty;

namespace Vks.Spherelet.Nri;

/// <summary>Lets NRI plugins have their say in the life of pods and containers.</summary>
/// <param name="plugins">The plugins.</param>
/// <param name="containers">Carries out what they ask for; is made from this, hence late.</param>
/// <param name="logger">For what comes of that.</param>
internal sealed partial class NriHooks(NriPlugins plugins, Func<ContainerService> containers, ILogger<NriHooks> logger) : IPodHooks
{
    /// <inheritdoc/>
    public Task<IDisposable> EnterAsync(CancellationToken cancellationToken) => plugins.EnterAsync(cancellationToken);

    /// <inheritdoc/>
    public Task PodRunsAsync(Pods.PodSandbox sandbox, CancellationToken cancellationToken) => AskAsync(Event.RunPodSandbox, sandbox, cancellationToken);

    /// <inheritdoc/>
    public async Task PodUpdatesAsync(Pods.PodSandbox sandbox, ResourceLimits resources, ResourceLimits overhead, CancellationToken cancellationToken)
    {
        var request = new UpdatePodSandboxRequest
        {
            Pod = Description.Of(sandbox), LinuxResources = ResourceWords.Write(resources), OverheadLinuxResources = ResourceWords.Write(overhead),
        };
        await plugins.AskAsync(Event.UpdatePodSandbox, Subject(sandbox), () => request, Empty.Parser, static (_, _) => { }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task PodUpdatedAsync(Pods.PodSandbox sandbox) => TellAsync(Event.PostUpdatePodSandbox, sandbox);

    /// <inheritdoc/>
    public async Task PodStopsAsync(Pods.PodSandbox sandbox)
    {
        using IDisposable entry = await EnterAsync(CancellationToken.None);
        await TellAsync(Event.StopPodSandbox, sandbox);
    }

    /// <inheritdoc/>
    public Task PodRemovedAsync(Pods.PodSandbox sandbox) => TellAsync(Event.RemovePodSandbox, sandbox);

    /// <inheritdoc/>
    public async Task<ContainerDraft> ContainerCreatesAsync(Pods.PodSandbox sandbox, ContainerDraft draft, CancellationToken cancellationToken)
    {
        Wire.PodSandbox pod = Description.Of(sandbox);
        var adjustments = new Adjustments(Description.Of(draft.Record));
        Wire.Container asked = adjustments.Container.Clone();
        var asks = new List<PluginInstance>();
        await plugins.AskAsync(
            Event.CreateContainer,
            Subject(draft.Record),
            () => new ContainerRequest { Pod = pod, Container = adjustments.Container },
            CreateContainerResponse.Parser,
            (plugin, response) =>
            {
                asks.Add(new PluginInstance { Name = plugin.Name!.Base, Index = plugin.Name.Index });
                adjustments.Apply(plugin.Name.ToString(), response);
                NoteEvictions(plugin, response.Evict);
            },
            cancellationToken);
        if (asks.Count == 0)
        {
            return draft;
        }

        await plugins.ValidateAsync(
            Subject(draft.Record),
            () => new ValidateContainerAdjustmentRequest
            {
                Pod = pod, Container = asked, Adjust = adjustments.Merged, Update = { adjustments.Others.All }, Owners = adjustments.Owners, Plugins = { asks },
            },
            cancellationToken);
        return DraftWriter.Apply(draft, adjustments);
    }

    /// <inheritdoc/>
    public async Task ContainerNotCreatedAsync(Pods.PodSandbox sandbox, ContainerRecord record)
    {
        var request = new ContainerRequest { Pod = Description.Of(sandbox), Container = Description.Of(record) };
        await plugins.TellAsync(Event.StopContainer, Subject(record), request);
        await plugins.TellAsync(Event.RemoveContainer, Subject(record), request);
    }

    /// <inheritdoc/>
    public Task ContainerCreatedAsync(Pods.Container container) => TellAsync(Event.PostCreateContainer, container);

    /// <inheritdoc/>
    public async Task ContainerStartsAsync(Pods.Container container, CancellationToken cancellationToken)
    {
        ContainerRequest request = Request(container);
        await plugins.AskAsync(Event.StartContainer, Subject(container.Record), () => request, Empty.Parser, static (_, _) => { }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task ContainerStartedAsync(Pods.Container container) => TellAsync(Event.PostStartContainer, container);

    /// <inheritdoc/>
    public async Task<(ResourceLimits Change, IReadOnlyList<LimitChange> Others)> ContainerUpdatesAsync(
        Pods.Container container, ResourceLimits change, CancellationToken cancellationToken)
    {
        var request = new UpdateContainerRequest
        {
            Pod = Description.Of(container.Sandbox), Container = Description.Of(container), LinuxResources = ResourceWords.Write(change),
        };
        var updates = new Updates(new Ownership());
        await plugins.AskAsync(
            Event.UpdateContainer,
            Subject(container.Record),
            () => request,
            UpdateContainerResponse.Parser,
            (plugin, response) =>
            {
                updates.Apply(plugin.Name!.ToString(), response.Update);
                NoteEvictions(plugin, response.Evict);
            },
            cancellationToken);
        ResourceLimits own = updates.Take(container.Id) is { } asked ? ResourceChange.Combine(change, ResourceWords.ReadChange(asked)) : change;
        return (own, Updates.Read(updates.All));
    }

    /// <inheritdoc/>
    public Task ContainerUpdatedAsync(Pods.Container container) => TellAsync(Event.PostUpdateContainer, container);

    /// <inheritdoc/>
    public async Task ContainerStoppedAsync(Pods.Container container)
    {
        try
        {
            var updates = new Updates(new Ownership());
            using (await EnterAsync(CancellationToken.None))
            {
                ContainerRequest request = Request(container);
                await plugins.AskAsync(
                    Event.StopContainer,
                    Subject(container.Record),
                    () => request,
                    StopContainerResponse.Parser,
                    (plugin, response) => updates.Apply(plugin.Name!.ToString(), response.Update),
                    CancellationToken.None);
            }

            // Not awaited: those containers' pods may wait for this one's end.
            _ = CarryOutAsync(container.Id, Updates.Read(updates.All));
        }
        catch (PodException refused)
        {
            EndRefused(container.Id, refused);
        }
    }

    /// <inheritdoc/>
    public Task ContainerRemovedAsync(Pods.Container container) => TellAsync(Event.RemoveContainer, container);

    /// <summary>Carries out what plugins ask for outside of any call of CRI.</summary>
    /// <returns>The containers of which it failed.</returns>
    public async Task<IReadOnlyList<string>> CarryOutAsync(string cause, IReadOnlyList<LimitChange> changes)
    {
        var failed = new List<string>();
        foreach (LimitChange change in changes)
        {
            try
            {
                await containers().ChangeAsync(change, CancellationToken.None);
            }
            catch (Exception problem) when (problem is PodException or GuestException)
            {
                NotCarriedOut(cause, change.ContainerId, problem);
                failed.Add(change.ContainerId);
            }
        }

        return failed;
    }

    private void NoteEvictions(NriPlugin plugin, IReadOnlyCollection<ContainerEviction> evictions)
    {
        foreach (ContainerEviction eviction in evictions)
        {
            EvictionPassedOver(plugin.Name!, eviction.ContainerId, eviction.Reason);
        }
    }

    private Task AskAsync(Event happened, Pods.PodSandbox sandbox, CancellationToken cancellationToken)
    {
        var request = new PodRequest { Pod = Description.Of(sandbox) };
        return plugins.AskAsync(happened, Subject(sandbox), () => request, Empty.Parser, static (_, _) => { }, cancellationToken);
    }

    private Task TellAsync(Event happened, Pods.PodSandbox sandbox) =>
        plugins.TellAsync(happened, Subject(sandbox), new PodRequest { Pod = Description.Of(sandbox) });

    private Task TellAsync(Event happened, Pods.Container container) => plugins.TellAsync(happened, Subject(container.Record), Request(container));

    private static ContainerRequest Request(Pods.Container container) => new() { Pod = Description.Of(container.Sandbox), Container = Description.Of(container) };

    private static string Subject(Pods.PodSandbox sandbox) => $"pod sandbox {sandbox.Id}";

    private static string Subject(ContainerRecord record) => $"container {record.Id}";

    [LoggerMessage(3705, LogLevel.Warning, "Container {ContainerId} has ended, and what NRI plugins ask for then cannot be carried out")]
    private partial void EndRefused(string containerId, Exception cause);

    [LoggerMessage(3706, LogLevel.Warning, "For {Cause}, container {ContainerId} was to be changed, which failed")]
    private partial void NotCarriedOut(string cause, string containerId, Exception problem);

    [LoggerMessage(3707, LogLevel.Warning, "NRI plugin {Name} wants container {ContainerId} evicted ({Reason}); no runtime does that, so it goes on")]
    private partial void EvictionPassedOver(PluginName name, string containerId, string reason);
}
