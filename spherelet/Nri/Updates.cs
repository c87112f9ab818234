using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>What plugins, one after another, change with containers that are there already.</summary>
internal sealed class Updates(Ownership owners)
{
    private readonly Dictionary<string, ContainerUpdate> _changes = new(StringComparer.Ordinal);

    /// <summary>All that was asked for, once for each container.</summary>
    public IReadOnlyCollection<ContainerUpdate> All => _changes.Values;

    /// <summary>Takes what one plugin asks for.</summary>
    /// <exception cref="PodException"><see cref="PodFault.Refused"/>: it contradicts another plugin.</exception>
    public void Apply(string plugin, IEnumerable<ContainerUpdate> asked)
    {
        foreach (ContainerUpdate update in asked)
        {
            if (!_changes.TryGetValue(update.ContainerId, out ContainerUpdate? merged))
            {
                _changes[update.ContainerId] = merged = new ContainerUpdate
                {
                    ContainerId = update.ContainerId, IgnoreFailure = true, Linux = new LinuxContainerUpdate { Resources = new LinuxResources() },
                };
            }

            // One that must not fail makes the whole of them so.
            merged.IgnoreFailure &= update.IgnoreFailure;
            ResourceMerge.Apply(
                update.Linux?.Resources ?? new LinuxResources(), merged.Linux.Resources, (field, key) => owners.Claim(update.ContainerId, field, key, plugin));
        }
    }

    /// <summary>Takes out what is asked for one container.</summary>
    public LinuxResources? Take(string containerId) => _changes.Remove(containerId, out ContainerUpdate? update) ? update.Linux.Resources : null;

    /// <summary>In our words.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a limit that no guest keeps, of one that must not fail.</exception>
    public static IReadOnlyList<LimitChange> Read(IEnumerable<ContainerUpdate> updates) =>
        [.. updates.Select(static update => new LimitChange(update.ContainerId, ResourceWords.ReadChange(update.Linux?.Resources), update.IgnoreFailure))];
}
