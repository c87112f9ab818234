using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;
using Vks.Runtime.Machines;

namespace Vks.Spherelet.Pods;

/// <summary>Host paths that containers mount: each shows below the pod's shared directory, which the guest sees over virtio-9p.</summary>
/// <remarks>
/// On the host that directory holds empty folders and files. What they stand for is mounted over them where the machine's QEMU alone sees it.
/// The guest sees one file system without mounts, so a mount that is read-only there is so with all below. Where the host has more
/// mounted below a path that is read-only itself only, each of those mounts is named to the guest too, writable, in its place.
/// </remarks>
internal sealed partial class PodShare(PodStore store, ILogger<PodShare> logger)
{
    /// <summary>The virtio-9p tag of the shared directory.</summary>
    public const string Tag = "vks";

    /// <summary>Makes the pod's shared directory. Undo with <see cref="ReleasePodAsync"/>.</summary>
    /// <returns>The directory.</returns>
    public string Prepare(string podId) => Directory.CreateDirectory(store.ShareDirectory(podId)).FullName;

    /// <summary>Binds a container's host paths. On failure nothing of the container is left bound.</summary>
    /// <param name="podId">The pod.</param>
    /// <param name="containerId">The container.</param>
    /// <param name="mounts">Those of its mounts that have a host path. All that map ids map them the same way.</param>
    /// <param name="qemuPid">The process of the machine's QEMU.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <returns>What the guest is told of each, in the same order; the first of each is the path itself.</returns>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a path is missing, or neither file nor directory. <see cref="PodFault.HostFailed"/>: the kernel refused.</exception>
    public async Task<IReadOnlyList<IReadOnlyList<MountSpec>>> BindAsync(
        string podId, string containerId, IReadOnlyList<ContainerMount> mounts, int qemuPid, CancellationToken cancellationToken)
    {
        string directory = store.ContainerShareDirectory(podId, containerId);
        using SafeFileHandle? userNamespace = mounts.FirstOrDefault(mount => mount.IdMap is not null)?.IdMap is { } map
            ? await IdMapNamespace.OpenAsync(map, IdMapNamespace.UserOf(qemuPid), cancellationToken)
            : null;
        try
        {
            var specs = new List<IReadOnlyList<MountSpec>>(mounts.Count);
            foreach (ContainerMount mount in mounts)
            {
                string name = specs.Count.ToString(CultureInfo.InvariantCulture);

                // On a thread of the pool: a path of a network file system may take its time.
                specs.Add(await Task.Run(() => BindAsync(mount, directory, containerId, name, qemuPid, userNamespace), cancellationToken).WaitAsync(cancellationToken));
            }

            return specs;
        }
        catch (Exception)
        {
            await ReleaseContainerAsync(podId, containerId, qemuPid, CancellationToken.None);
            throw;
        }
    }

    /// <summary>Unbinds all of a container. Nothing bound is no error.</summary>
    /// <param name="podId">The pod.</param>
    /// <param name="containerId">The container.</param>
    /// <param name="qemuPid">The process of the machine's QEMU, or 0 when it has ended, and all mounts with it.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>: the kernel refused.</exception>
    public async Task ReleaseContainerAsync(string podId, string containerId, int qemuPid, CancellationToken cancellationToken)
    {
        string directory = store.ContainerShareDirectory(podId, containerId);
        if (qemuPid != 0 && Directory.Exists(directory))
        {
            try
            {
                await ShareMounts.DetachAsync(qemuPid, containerId).WaitAsync(cancellationToken);
            }
            catch (HostException cause)
            {
                throw Refused(directory, "released", cause);
            }
        }

        await Task.Run(() => Release(directory), cancellationToken);
    }

    /// <summary>Removes the shared directory of a pod whose machine has ended. None is no error.</summary>
    public Task ReleasePodAsync(string podId, CancellationToken cancellationToken) =>
        Task.Run(() => Release(store.ShareDirectory(podId)), cancellationToken);

    private static async Task<IReadOnlyList<MountSpec>> BindAsync(
        ContainerMount mount, string directory, string containerId, string name, int qemuPid, SafeFileHandle? userNamespace)
    {
        string target = Path.Combine(directory, name);
        Directory.CreateDirectory(directory);
        using BindMount bind = Take(mount);
        if (bind.IsFolder)
        {
            Directory.CreateDirectory(target);
        }
        else if (bind.IsFile)
        {
            File.Create(target).Dispose();
        }
        else
        {
            throw Invalid(mount, "is neither a file nor a directory; only those can be shared with a machine");
        }

        try
        {
            if (mount.IdMap is not null)
            {
                bind.MapIds(userNamespace!);
            }

            string source = $"{containerId}/{name}";
            return [.. Specs(mount, source, await ShareMounts.AttachAsync(qemuPid, bind, source))];
        }
        catch (HostException cause)
        {
            throw Refused(mount.HostPath, "bound", cause);
        }
    }

    /// <summary>What the guest is told of one path. Pure.</summary>
    /// <param name="mount">The mount.</param>
    /// <param name="source">Where it lies below the share.</param>
    /// <param name="below">What else is mounted below it, relative, in the order it was mounted.</param>
    internal static IEnumerable<MountSpec> Specs(ContainerMount mount, string source, IEnumerable<string> below)
    {
        yield return Spec(source, mount.ContainerPath, mount.ReadOnly);
        if (!mount.ReadOnly || mount.RecursiveReadOnly)
        {
            yield break;
        }

        foreach (string path in below.Distinct().Order(StringComparer.Ordinal))
        {
            yield return Spec($"{source}/{path}", $"{mount.ContainerPath.TrimEnd('/')}/{path}", readOnly: false);
        }

        static MountSpec Spec(string source, string destination, bool readOnly) => new()
        {
            Kind = MountSource.Share,
            Source = source,
            Destination = destination,
            Options = ["rbind", readOnly ? "ro" : "rw"],
        };
    }

    private static BindMount Take(ContainerMount mount)
    {
        try
        {
            return BindMount.Take(mount.HostPath, mount.FollowsHost);
        }
        catch (HostException cause) when (cause.ErrnoName is "ENOENT" or "ENOTDIR" or "ELOOP" or "ENAMETOOLONG")
        {
            throw Invalid(mount, $"is not there ({cause.ErrnoName})");
        }
        catch (HostException cause)
        {
            throw Refused(mount.HostPath, "bound", cause);
        }
    }

    private void Release(string directory)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        if (MountTable.Below(directory) is [string mounted, ..])
        {
            // Deleting now would delete what is mounted.
            throw new PodException(PodFault.HostFailed, directory, $"'{mounted}' is a mount of this host, which the daemon did not make; unmount it by hand, then try again.");
        }

        Directory.Delete(directory, recursive: true);
        ShareReleased(directory);
    }

    private static PodException Invalid(ContainerMount mount, string rule) =>
        new(PodFault.InvalidConfig, mount.HostPath, $"Host path '{mount.HostPath}' for '{mount.ContainerPath}' {rule}.");

    private static PodException Refused(string path, string what, HostException cause) =>
        new(PodFault.HostFailed, path, $"'{path}' could not be {what}: {cause.Message}", cause);

    [LoggerMessage(3120, LogLevel.Debug, "Released the share {Directory}")]
    private partial void ShareReleased(string directory);
}
