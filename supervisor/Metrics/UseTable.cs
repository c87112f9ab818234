using System.Collections.Concurrent;

namespace Vks.Supervisor.Metrics;

/// <summary>The latest figures of every node. Those of a node that does not answer any more are dropped when they are old.</summary>
internal sealed class UseTable(TimeProvider time)
{
    /// <summary>How old figures may be: four times the usual interval.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, (DateTimeOffset Taken, NodeUse Use)> _nodes = new(StringComparer.Ordinal);

    /// <summary>Nodes with fresh figures.</summary>
    public IEnumerable<KeyValuePair<string, ResourceUse>> Nodes => Fresh
        .Where(static node => node.Use.Node is not null)
        .Select(static node => KeyValuePair.Create(node.Name, node.Use.Node!.Value));

    /// <summary>Pods with fresh figures.</summary>
    public IEnumerable<PodUse> Pods => Fresh.SelectMany(static node => node.Use.Pods);

    private IEnumerable<(string Name, NodeUse Use)> Fresh
    {
        get
        {
            DateTimeOffset oldest = time.GetUtcNow() - s_longest;
            return _nodes.Where(node => node.Value.Taken >= oldest).Select(static node => (node.Key, node.Value.Use));
        }
    }

    /// <summary>Takes new figures of a node.</summary>
    public void Put(string node, NodeUse use) => _nodes[node] = (time.GetUtcNow(), use);

    /// <summary>Forgets nodes that are none any more.</summary>
    public void Keep(IReadOnlySet<string> nodes)
    {
        foreach (string gone in _nodes.Keys.Where(node => !nodes.Contains(node)))
        {
            _nodes.TryRemove(gone, out _);
        }
    }
}
