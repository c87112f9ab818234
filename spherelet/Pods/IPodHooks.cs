using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>Those who have a say in the life of pods and containers, or are told of it, as it happens.</summary>
/// <remarks>
/// What is asked (Runs, Creates, Starts, Updates) may be refused: <see cref="PodException"/> with <see cref="PodFault.Refused"/>, and the caller
/// undoes what it did. What is only told never throws. All but <see cref="ContainerStoppedAsync"/> are called with the pod's gate held.
/// </remarks>
internal interface IPodHooks
{
    /// <summary>
    /// To be held from asking until what was asked for is in the table, or gone from it: whoever joins in between would otherwise neither be asked nor
    /// find it there.
    /// </summary>
    Task<IDisposable> EnterAsync(CancellationToken cancellationToken);

    /// <summary>The pod is made, and about to be shown.</summary>
    Task PodRunsAsync(PodSandbox sandbox, CancellationToken cancellationToken);

    /// <summary>The pod's limits are about to change.</summary>
    Task PodUpdatesAsync(PodSandbox sandbox, ResourceLimits resources, ResourceLimits overhead, CancellationToken cancellationToken);

    /// <summary>They have changed.</summary>
    Task PodUpdatedAsync(PodSandbox sandbox);

    /// <summary>The pod's containers have ended, its machine is about to. Once for each pod.</summary>
    Task PodStopsAsync(PodSandbox sandbox);

    /// <summary>The pod is gone.</summary>
    Task PodRemovedAsync(PodSandbox sandbox);

    /// <summary>A container is about to be made.</summary>
    /// <returns>As it is to be.</returns>
    Task<ContainerDraft> ContainerCreatesAsync(PodSandbox sandbox, ContainerDraft draft, CancellationToken cancellationToken);

    /// <summary>A container that was asked for could not be made.</summary>
    Task ContainerNotCreatedAsync(PodSandbox sandbox, ContainerRecord record);

    /// <summary>It was made.</summary>
    Task ContainerCreatedAsync(Container container);

    /// <summary>It is about to run.</summary>
    Task ContainerStartsAsync(Container container, CancellationToken cancellationToken);

    /// <summary>It runs.</summary>
    Task ContainerStartedAsync(Container container);

    /// <summary>Its limits are about to change.</summary>
    /// <returns>The change as it is to be, and changes of other containers.</returns>
    Task<(ResourceLimits Change, IReadOnlyList<LimitChange> Others)> ContainerUpdatesAsync(
        Container container, ResourceLimits change, CancellationToken cancellationToken);

    /// <summary>They have changed.</summary>
    Task ContainerUpdatedAsync(Container container);

    /// <summary>It has ended. Once for each container that was made.</summary>
    Task ContainerStoppedAsync(Container container);

    /// <summary>It is gone.</summary>
    Task ContainerRemovedAsync(Container container);
}

/// <summary>A container before it is made.</summary>
/// <param name="Record">What will be kept of it.</param>
/// <param name="Spec">What the guest will be told, without mounts.</param>
internal sealed record ContainerDraft(ContainerRecord Record, ContainerSpec Spec)
{
    /// <summary>Mounts beside those of the config.</summary>
    public IReadOnlyList<MountSpec> ExtraMounts { get; init; } = [];

    /// <summary>What is to change with other containers once this one is made.</summary>
    public IReadOnlyList<LimitChange> Others { get; init; } = [];
}

/// <summary>A change of a container's limits that somebody else than the caller of CRI asks for.</summary>
/// <param name="ContainerId">The container.</param>
/// <param name="Change">See <see cref="ResourceChange"/>.</param>
/// <param name="MayFail">Nothing else depends on it.</param>
internal sealed record LimitChange(string ContainerId, ResourceLimits Change, bool MayFail);
