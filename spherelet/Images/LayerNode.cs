namespace Vks.Spherelet.Images;

/// <summary>What a name stands for: metadata, and where its content is. Shared by the names of a hard link.</summary>
internal sealed class LayerInode
{
    /// <summary>Metadata; its path is where the archive had it, not where it is now.</summary>
    public required TarEntry Entry { get; init; }

    /// <summary>Index of the layer whose archive has the content.</summary>
    public required int Layer { get; init; }

    /// <summary>Which entry of that archive it is, from 0.</summary>
    public required int Ordinal { get; init; }

    /// <summary>Set for the target of a hard link that is in a lower layer: where to look for it there.</summary>
    public string[]? LowerTarget { get; init; }

    /// <summary>It is a directory.</summary>
    public bool IsDirectory => Entry.Kind == TarEntryKind.Directory;
}

/// <summary>A name in a layer, or in the layers merged so far.</summary>
internal sealed class LayerNode
{
    /// <summary>What it stands for; null for a directory that the layer only implies by what is below it.</summary>
    public LayerInode? Inode { get; set; }

    /// <summary>What is in the directory; null for what is none.</summary>
    public Dictionary<string, LayerNode>? Children { get; set; }

    /// <summary>Names that this layer removes from lower ones here.</summary>
    public HashSet<string>? Whiteouts { get; set; }

    /// <summary>Nothing of lower layers shows through this directory.</summary>
    public bool Opaque { get; set; }

    /// <summary>It is a directory.</summary>
    public bool IsDirectory => Children is not null;

    /// <summary>A directory without anything.</summary>
    public static LayerNode EmptyDirectory() => new() { Children = new(StringComparer.Ordinal) };

    /// <summary>The node at a path below this one, or null. Symbolic links are not followed.</summary>
    public LayerNode? Find(ReadOnlySpan<string> names)
    {
        LayerNode? node = this;
        foreach (string name in names)
        {
            node = node?.Children?.GetValueOrDefault(name);
        }

        return node;
    }
}
