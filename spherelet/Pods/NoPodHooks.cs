using Vks.Runtime.Guest.Protocol;

namespace Vks.Spherelet.Pods;

/// <summary>Nobody has a say.</summary>
internal sealed class NoPodHooks : IPodHooks
{
    /// <inheritdoc/>
    public Task<IDisposable> EnterAsync(CancellationToken cancellationToken) => Task.FromResult<IDisposable>(NoEntry.Instance);

    /// <inheritdoc/>
    public Task PodRunsAsync(PodSandbox sandbox, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task PodUpdatesAsync(PodSandbox sandbox, ResourceLimits resources, ResourceLimits overhead, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task PodUpdatedAsync(PodSandbox sandbox) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task PodStopsAsync(PodSandbox sandbox) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task PodRemovedAsync(PodSandbox sandbox) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<ContainerDraft> ContainerCreatesAsync(PodSandbox sandbox, ContainerDraft draft, CancellationToken cancellationToken) => Task.FromResult(draft);

    /// <inheritdoc/>
    public Task ContainerNotCreatedAsync(PodSandbox sandbox, ContainerRecord record) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ContainerCreatedAsync(Container container) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ContainerStartsAsync(Container container, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ContainerStartedAsync(Container container) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<(ResourceLimits Change, IReadOnlyList<LimitChange> Others)> ContainerUpdatesAsync(
        Container container, ResourceLimits change, CancellationToken cancellationToken) =>
        Task.FromResult<(ResourceLimits, IReadOnlyList<LimitChange>)>((change, []));

    /// <inheritdoc/>
    public Task ContainerUpdatedAsync(Container container) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ContainerStoppedAsync(Container container) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ContainerRemovedAsync(Container container) => Task.CompletedTask;

    private sealed class NoEntry : IDisposable
    {
        public static NoEntry Instance { get; } = new();

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
