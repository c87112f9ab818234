using System.Collections.Concurrent;

namespace Vks.Spherelet.Pods;

/// <summary>All pods and containers of the host, and the names they hold. Only what is whole is in here.</summary>
internal sealed class PodTable
{
    /// <summary>An empty one.</summary>
    /// <param name="time">The clock of its events.</param>
    public PodTable(TimeProvider time) => Events = new PodEvents(this, time);

    /// <summary>What happens to pods and containers.</summary>
    public PodEvents Events { get; }

    /// <summary>Pod sandboxes by id.</summary>
    public ConcurrentDictionary<string, PodSandbox> Pods { get; } = new(StringComparer.Ordinal);

    /// <summary>Containers by id.</summary>
    public ConcurrentDictionary<string, Container> Containers { get; } = new(StringComparer.Ordinal);

    /// <summary>Names of pod sandboxes.</summary>
    public NameRegistry<PodName> PodNames { get; } = new();

    /// <summary>Names of containers.</summary>
    public NameRegistry<ContainerName> ContainerNames { get; } = new();

    /// <summary>The pod of that id, or of the only id that begins so.</summary>
    /// <exception cref="PodException"><see cref="PodFault.NotFound"/>.</exception>
    public PodSandbox FindPod(string id) => PodId.Find(Pods, id, "pod sandbox");

    /// <summary>The container of that id, or of the only id that begins so.</summary>
    /// <exception cref="PodException"><see cref="PodFault.NotFound"/>.</exception>
    public Container FindContainer(string id) => PodId.Find(Containers, id, "container");

    /// <summary>The pod's containers, oldest first.</summary>
    public IReadOnlyList<Container> ContainersOf(string podId) =>
        [.. Containers.Values.Where(container => container.Record.PodId == podId).OrderBy(container => container.Record.CreatedUnixNanoseconds)];
}

/// <summary>Names a container in its pod.</summary>
/// <param name="PodId">The pod.</param>
/// <param name="Name">Its name.</param>
/// <param name="Attempt">Counts the containers made under that name.</param>
internal sealed record ContainerName(string PodId, string Name, uint Attempt)
{
    /// <summary>All parts in one text, for messages.</summary>
    public override string ToString() => $"{Name} (attempt {Attempt}) of pod {PodId}";
}
