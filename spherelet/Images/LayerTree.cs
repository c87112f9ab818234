namespace Vks.Spherelet.Images;

/// <summary>One layer's entries as a tree, before it is laid over lower layers. Pure.</summary>
/// <remarks>
/// Rules of the OCI image spec: <c>.wh.NAME</c> removes NAME of lower layers, <c>.wh..wh..opq</c> all of a directory's lower
/// content, neither anything of its own layer, wherever in the archive it stands; other <c>.wh..wh.</c> names are AUFS's own
/// and are left out. Within a layer the last entry of a path wins. Symbolic links are never followed: an entry below what was
/// a link or a file makes a directory in its place, as a layer's own directory does in an overlay. Nothing can get out of the tree.
/// </remarks>
internal sealed class LayerTree(int layer)
{
    private const string WhiteoutPrefix = ".wh.";
    private const string OpaqueName = ".wh..wh..opq";
    private const string AufsPrefix = ".wh..wh.";

    private int _ordinal = -1;

    /// <summary>The layer's index, 0 for the lowest.</summary>
    public int Layer { get; } = layer;

    /// <summary>The root directory.</summary>
    public LayerNode Root { get; } = LayerNode.EmptyDirectory();

    /// <summary>Number of entries added.</summary>
    public int Count => _ordinal + 1;

    /// <summary>Adds the archive's next entry.</summary>
    /// <exception cref="LayerFormatException">Its path or link target cannot be in an image.</exception>
    public void Add(TarEntry entry)
    {
        _ordinal++;
        string[] names = LayerPath.Split(entry.Path);
        if (names.Length == 0)
        {
            Root.Inode = entry.Kind == TarEntryKind.Directory
                ? NewInode(entry)
                : throw new LayerFormatException($"The root of the image is a {entry.Kind}.");
            return;
        }

        if (Array.Exists(names, name => name.StartsWith(AufsPrefix, StringComparison.Ordinal) && name != OpaqueName))
        {
            return;
        }

        LayerNode parent = Root;
        foreach (string name in names.AsSpan(0, names.Length - 1))
        {
            RefuseWhiteout(name, entry.Path);
            parent = EnterDirectory(parent, name);
        }

        string last = names[^1];
        if (last == OpaqueName)
        {
            parent.Opaque = true;
        }
        else if (last.StartsWith(WhiteoutPrefix, StringComparison.Ordinal))
        {
            string hidden = last[WhiteoutPrefix.Length..];
            RefuseWhiteout(hidden, entry.Path);
            (parent.Whiteouts ??= new(StringComparer.Ordinal)).Add(hidden);
        }
        else
        {
            Put(parent, last, entry);
        }
    }

    private static void RefuseWhiteout(string name, string path)
    {
        if (name is "" or "." or ".." || name.StartsWith(WhiteoutPrefix, StringComparison.Ordinal))
        {
            throw new LayerFormatException($"'{TarEntry.Show(path)}' uses the whiteout prefix where no whiteout can be.");
        }
    }

    private static LayerNode EnterDirectory(LayerNode parent, string name)
    {
        if (!parent.Children!.TryGetValue(name, out LayerNode? node) || !node.IsDirectory)
        {
            node = LayerNode.EmptyDirectory();
            parent.Children[name] = node;
        }

        return node;
    }

    private void Put(LayerNode parent, string name, TarEntry entry)
    {
        switch (entry.Kind)
        {
            case TarEntryKind.Directory:
                EnterDirectory(parent, name).Inode = NewInode(entry);
                break;
            case TarEntryKind.HardLink:
                parent.Children![name] = new LayerNode { Inode = LinkTarget(entry) };
                break;
            default:
                if (entry is { Kind: TarEntryKind.Symlink, LinkTarget: "" or { Length: > LayerPath.MaxPathBytes } })
                {
                    throw new LayerFormatException($"The symbolic link '{TarEntry.Show(entry.Path)}' has a target of {entry.LinkTarget.Length} bytes; 1 to {LayerPath.MaxPathBytes} are possible.");
                }

                parent.Children![name] = new LayerNode { Inode = NewInode(entry) };
                break;
        }
    }

    private LayerInode LinkTarget(TarEntry entry)
    {
        string[] target = LayerPath.Split(entry.LinkTarget);
        LayerNode? node = Root.Find(target);
        if (node is { IsDirectory: true })
        {
            throw new LayerFormatException($"'{TarEntry.Show(entry.Path)}' is a hard link to the directory '{TarEntry.Show(entry.LinkTarget)}'.");
        }

        return node?.Inode ?? new LayerInode { Entry = entry, Layer = Layer, Ordinal = _ordinal, LowerTarget = target };
    }

    private LayerInode NewInode(TarEntry entry) => new() { Entry = entry, Layer = Layer, Ordinal = _ordinal };
}
