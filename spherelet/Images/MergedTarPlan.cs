namespace Vks.Spherelet.Images;

/// <summary>What the merged tar stream of an image holds, in order: everything without content, then each layer's winning files, then hard links. Pure.</summary>
internal sealed class MergedTarPlan
{
    private const string OverlayXattrs = "trusted.overlay.";

    private static readonly TarEntry ImpliedDirectory = new() { Kind = TarEntryKind.Directory, Path = "", Mode = 0x1ed };

    private readonly Dictionary<int, Dictionary<int, TarEntry>> _filesByLayer = [];
    private readonly List<TarEntry> _withoutContent = [];
    private readonly List<TarEntry> _hardLinks = [];

    private MergedTarPlan()
    {
    }

    /// <summary>Directories (each before what is in it), links, devices, pipes and empty files.</summary>
    public IReadOnlyList<TarEntry> WithoutContent => _withoutContent;

    /// <summary>Second and further names of files; their targets are among the others.</summary>
    public IReadOnlyList<TarEntry> HardLinks => _hardLinks;

    /// <summary>Files to take from a layer's archive, by the ordinal of their entry.</summary>
    public IReadOnlyDictionary<int, TarEntry> FilesOf(int layer) => _filesByLayer.GetValueOrDefault(layer) ?? [];

    /// <summary>Walks the tree in the order of names' bytes, so that equal layers make equal disks.</summary>
    public static MergedTarPlan Of(MergedTree tree)
    {
        MergedTarPlan plan = new();
        Dictionary<LayerInode, string> firstNames = new(ReferenceEqualityComparer.Instance);
        Stack<(string Path, LayerNode Node)> pending = new([("", tree.Root)]);
        while (pending.TryPop(out (string Path, LayerNode Node) item))
        {
            (string path, LayerNode node) = item;
            if (!node.IsDirectory)
            {
                plan.AddLeaf(path, node.Inode!, firstNames);
                continue;
            }

            plan._withoutContent.Add(At(node.Inode?.Entry ?? ImpliedDirectory, path.Length == 0 ? "./" : path + "/"));
            foreach ((string name, LayerNode child) in node.Children!.OrderByDescending(pair => pair.Key, StringComparer.Ordinal))
            {
                pending.Push((path.Length == 0 ? name : $"{path}/{name}", child));
            }
        }

        return plan;
    }

    private void AddLeaf(string path, LayerInode inode, Dictionary<LayerInode, string> firstNames)
    {
        if (!firstNames.TryAdd(inode, path))
        {
            _hardLinks.Add(At(inode.Entry, path) with { Kind = TarEntryKind.HardLink, LinkTarget = firstNames[inode], Size = 0, Xattrs = [] });
        }
        else if (inode.Entry.Size == 0)
        {
            _withoutContent.Add(At(inode.Entry, path));
        }
        else
        {
            if (!_filesByLayer.TryGetValue(inode.Layer, out Dictionary<int, TarEntry>? files))
            {
                _filesByLayer.Add(inode.Layer, files = []);
            }

            files.Add(inode.Ordinal, At(inode.Entry, path));
        }
    }

    // squashfs stores these three kinds only; overlayfs's own would make the guest's overlay believe things of the image.
    private static bool IsKept(string xattr) =>
        !xattr.StartsWith(OverlayXattrs, StringComparison.Ordinal)
        && (xattr.StartsWith("user.", StringComparison.Ordinal)
            || xattr.StartsWith("security.", StringComparison.Ordinal)
            || xattr.StartsWith("trusted.", StringComparison.Ordinal));

    private static TarEntry At(TarEntry entry, string path) =>
        entry with { Path = path, Xattrs = [.. entry.Xattrs.Where(pair => IsKept(pair.Key))] };
}
