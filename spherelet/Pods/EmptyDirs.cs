using Vks.Runtime.Host;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>The emptyDirs of pods, each on a disk of its own that the pod's machine mounts, or in its memory.</summary>
/// <remarks>
/// A disk's file lies in the folder that the kubelet made for the volume. So the kubelet sees what the volume takes and keeps its <c>sizeLimit</c>, the
/// content outlives the sandbox, and it goes with the pod.
/// </remarks>
internal sealed class EmptyDirs
{
    private readonly EmptyDisks _disks = new(journal: true);

    /// <summary>Finds the emptyDirs among a container's mounts.</summary>
    /// <param name="pod">The pod. One with a user namespace has none: its emptyDirs are shared from the host, where their owners are mapped.</param>
    /// <param name="mounts">The mounts.</param>
    /// <returns>By the mount's host path.</returns>
    /// <exception cref="PodException">A path cannot be told.</exception>
    public static IReadOnlyDictionary<string, EmptyDir> Find(PodRecord pod, IEnumerable<ContainerMount> mounts) =>
        pod.EmptyDirMiB == 0
            ? new Dictionary<string, EmptyDir>()
            : mounts.Where(static mount => mount.HostPath.Length > 0).Select(static mount => mount.HostPath).Distinct()
                .Select(static path => (Path: path, Found: EmptyDir.Find(path)))
                .Where(static one => one.Found is not null && !HoldsFiles(one.Found))
                .ToDictionary(static one => one.Path, static one => one.Found!, StringComparer.Ordinal);

    /// <summary>Makes the disk unless it is there. A killed daemon leaves none that is half made.</summary>
    /// <param name="volume">The volume.</param>
    /// <param name="sizeMiB">Its size at most; it never has more than its file system.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: the host has no room, or something else is in the disk's place.</exception>
    public async Task PrepareAsync(EmptyDir volume, int sizeMiB, CancellationToken cancellationToken)
    {
        // A link is what an earlier sandbox, which shared the folder, could have put there: it leads to whatever of the host its container chose.
        bool isLink = new FileInfo(volume.DiskPath).LinkTarget is not null;
        switch (FileKinds.Of(volume.DiskPath))
        {
            case FileKind.Regular when !isLink:
                return;
            case FileKind.Missing when !isLink:
                break;
            default:
                throw new PodException(PodFault.HostFailed, volume.DiskPath, $"'{volume.DiskPath}' is to be the disk of an emptyDir, but it is no regular file. Do: delete the pod, which removes its volumes.");
        }

        string draft = volume.DiskPath + ".new";
        try
        {
            File.Delete(draft);
            long roomMiB = new DriveInfo(volume.Folder).TotalSize >> 20;
            await _disks.CreateAsync(draft, (int)Math.Clamp(roomMiB, 16, sizeMiB), cancellationToken);
            File.Move(draft, volume.DiskPath);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            File.Delete(draft);
            throw new PodException(PodFault.HostFailed, volume.DiskPath, $"The disk of emptyDir '{volume.Folder}' could not be made: {cause.Message}", cause);
        }
    }

    /// <summary>What has files and no disk was shared by an earlier sandbox of the pod, and is still.</summary>
    private static bool HoldsFiles(EmptyDir volume) =>
        !volume.InMemory && !Path.Exists(volume.DiskPath)
        && new DirectoryInfo(volume.Folder).EnumerateFiles("*", SearchOption.AllDirectories).Any(file => !file.Name.StartsWith(EmptyDir.DiskName, StringComparison.Ordinal));
}
