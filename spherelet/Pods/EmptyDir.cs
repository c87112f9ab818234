using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>A kubelet's emptyDir that a container mounts, or a folder in it. It is told by its path: CRI has no word for it.</summary>
/// <param name="Folder">The volume's folder on the host.</param>
/// <param name="HostPath">What the kubelet wants mounted: that folder, or one in it.</param>
/// <param name="SubPath">What is mounted, relative to the volume's root; empty for the root.</param>
/// <param name="InMemory">Its medium is memory.</param>
internal sealed partial record EmptyDir(string Folder, string HostPath, string SubPath, bool InMemory)
{
    /// <summary>Name of the disk's file in the volume's folder: there a kubelet counts what it takes, and removes it with the volume.</summary>
    public const string DiskName = ".vks-disk.img";

    private const string Kind = "kubernetes.io~empty-dir";

    /// <summary>SCSI serial of its disk, or the name of its memory in the guest.</summary>
    public string Serial => "vol-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Folder)))[..16];

    /// <summary>The file of its disk.</summary>
    public string DiskPath => Path.Combine(Folder, DiskName);

    /// <summary>Its disk, as it is plugged in.</summary>
    public DiskAttachment Disk => new(Serial, DiskPath, ReadOnly: false);

    /// <summary>Finds out whether a host path is an emptyDir, or a folder of one that a kubelet has bound for a <c>subPath</c>.</summary>
    /// <returns>Null: it is none, or one on huge pages.</returns>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: it is a folder of one, and it cannot be seen which.</exception>
    public static EmptyDir? Find(string hostPath) => Find(hostPath, Directory.Exists, MountTable.At);

    /// <summary>As the other. Pure.</summary>
    /// <param name="hostPath">Absolute.</param>
    /// <param name="exists">Whether there is such a folder.</param>
    /// <param name="mountAt">What is mounted there.</param>
    internal static EmptyDir? Find(string hostPath, Func<string, bool> exists, Func<string, HostMount?> mountAt)
    {
        if (VolumePattern().Match(hostPath) is { Success: true } volume)
        {
            string whole = hostPath.TrimEnd('/');
            return mountAt(whole) is not { } medium ? new EmptyDir(whole, whole, "", InMemory: false)
                : medium.Type == "tmpfs" ? new EmptyDir(whole, whole, "", InMemory: true)
                : null;
        }

        if (SubPathPattern().Match(hostPath) is not { Success: true } sub)
        {
            return null;
        }

        string below = $"{Kind}/{sub.Groups["name"].Value}";
        string folder = $"{sub.Groups["pod"].Value}/volumes/{below}";
        if (!exists(folder))
        {
            return null;
        }

        HostMount? memory = mountAt(folder);
        if (memory is { Type: not "tmpfs" })
        {
            return null;
        }

        string? root = mountAt(hostPath.TrimEnd('/'))?.Root;
        string? path = root is null ? null : memory is not null ? root.TrimStart('/') : After(root, $"/{Path.GetFileName(sub.Groups["pod"].Value)}/volumes/{below}/");
        return string.IsNullOrEmpty(path)
            ? throw new PodException(PodFault.HostFailed, hostPath, $"'{hostPath}' is to be a folder of the emptyDir '{folder}', but nothing of it is mounted there{(root is null ? "" : $": '{root}' is")}. Do: delete the pod, so that its kubelet mounts it anew.")
            : new EmptyDir(folder, hostPath, path, InMemory: memory is not null);
    }

    /// <summary>What the guest is told.</summary>
    /// <param name="mount">The mount.</param>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: its folder is gone.</exception>
    public MountSpec ToSpec(ContainerMount mount) => new()
    {
        Kind = MountSource.Volume,
        Source = Serial,
        Destination = mount.ContainerPath,
        Options = ["rbind", mount.ReadOnly ? "ro" : "rw"],
        SubPath = SubPath,
        Volume = new VolumeSpec(FolderOf(Folder), FolderOf(HostPath), InMemory, InMemory ? new DriveInfo(Folder).TotalSize : 0),
    };

    private static VolumeFolder FolderOf(string path) => FileOwner.Read(path) is { } owner
        ? new VolumeFolder(owner.UserId, owner.GroupId, (uint)owner.Mode)
        : throw new PodException(PodFault.InvalidConfig, path, $"Host path '{path}' is not there.");

    private static string? After(string text, string mark) => text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and int at ? text[(at + mark.Length)..] : null;

    [GeneratedRegex(@"^/.+/pods/[^/]+/volumes/kubernetes\.io~empty-dir/[^/]+/?\z", RegexOptions.CultureInvariant)]
    private static partial Regex VolumePattern();

    [GeneratedRegex(@"^(?<pod>/.+/pods/[^/]+)/volume-subpaths/(?<name>[^/]+)/[^/]+/[0-9]+/?\z", RegexOptions.CultureInvariant)]
    private static partial Regex SubPathPattern();
}
