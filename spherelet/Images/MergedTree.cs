namespace Vks.Spherelet.Images;

/// <summary>An image's layers laid over each other, the way overlayfs would show them. Pure.</summary>
internal sealed class MergedTree
{
    private readonly Dictionary<LayerInode, LayerInode> _resolvedLinks = new(ReferenceEqualityComparer.Instance);

    /// <summary>The image's root directory.</summary>
    public LayerNode Root { get; } = LayerNode.EmptyDirectory();

    /// <summary>Lays the next layer over those before it. The layer's nodes are taken over: do not use it again.</summary>
    /// <exception cref="LayerFormatException">A hard link to nothing.</exception>
    public void Apply(LayerTree upper)
    {
        // All links first: they mean the lower layers as they were before this one.
        _resolvedLinks.Clear();
        ResolveLinks(upper.Root);
        Merge(Root, upper.Root);
    }

    private void ResolveLinks(LayerNode directory)
    {
        // A list of work instead of recursion: hostile layers are deep.
        Stack<LayerNode> pending = new([directory]);
        while (pending.TryPop(out LayerNode? node))
        {
            foreach (LayerNode child in node.Children!.Values)
            {
                if (child.IsDirectory)
                {
                    pending.Push(child);
                }
                else if (child.Inode is { LowerTarget: not null } link)
                {
                    child.Inode = ResolveLink(link);
                }
            }
        }
    }

    private LayerInode ResolveLink(LayerInode link)
    {
        if (!_resolvedLinks.TryGetValue(link, out LayerInode? inode))
        {
            LayerNode? target = Root.Find(link.LowerTarget);
            inode = target is { IsDirectory: false, Inode: not null }
                ? target.Inode
                : throw new LayerFormatException(
                    $"'{TarEntry.Show(link.Entry.Path)}' is a hard link to '{TarEntry.Show(link.Entry.LinkTarget)}', which "
                    + (target is null ? "is nowhere in the image." : "is a directory."));
            _resolvedLinks.Add(link, inode);
        }

        return inode;
    }

    private static void Merge(LayerNode lowerRoot, LayerNode upperRoot)
    {
        Stack<(LayerNode Lower, LayerNode Upper)> pending = new([(lowerRoot, upperRoot)]);
        while (pending.TryPop(out (LayerNode Lower, LayerNode Upper) pair))
        {
            (LayerNode lower, LayerNode upper) = pair;
            lower.Inode = upper.Inode ?? lower.Inode;
            Dictionary<string, LayerNode> names = lower.Children!;
            if (upper.Opaque)
            {
                names.Clear();
            }

            foreach (string hidden in upper.Whiteouts ?? [])
            {
                names.Remove(hidden);
            }

            foreach ((string name, LayerNode child) in upper.Children!)
            {
                if (!child.IsDirectory)
                {
                    names[name] = child;
                    continue;
                }

                // What the upper directory hides is gone, so a new one takes whatever it brings.
                if (!names.TryGetValue(name, out LayerNode? below) || !below.IsDirectory)
                {
                    below = LayerNode.EmptyDirectory();
                    names[name] = below;
                }

                pending.Push((below, child));
            }
        }
    }
}
