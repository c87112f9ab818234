using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Host;

namespace Vks.Spherelet.Pods;

/// <summary>Host paths that containers mount: each is bound below the pod's shared directory, which the guest sees over virtio-9p.</summary>
/// <remarks>
/// The guest sees one file system without mounts, so a mount that is read-only there is so with all below. Where the host has more
/// mounted below a path that is read-only itself only, each of those mounts is named to the guest too, writable, in its place.
/// </remarks>
internal sealed partial class PodShare(PodStore store, ILogger<PodShare> logger)
{
    /// <summary>The virtio-9p tag of the shared directory.</summary>
    public const string Tag = "vks";

    /// <summary>Makes the pod's shared directory, which QEMU's mount namespace follows. Undo with <see cref="ReleasePodAsync"/>.</summary>
    /// <returns>The directory.</returns>
    /// <exception cref="PodException"><see cref="PodFault.HostFailed"/>.</exception>
    public string Prepare(string podId)
    {
        string directory = Directory.CreateDirectory(store.ShareDirectory(podId)).FullName;
        try
        {
            BindMount.Share(directory);
            return directory;
        }
        catch (HostException cause)
        {
            throw Refused(directory, "shared with a machine", cause);
        }
    }

    /// <summary>Binds a container's host paths. On failure nothing of the container is left bound.</summary>
    /// <param name="podId">The pod.</param>
    /// <param name="containerId">The container.</param>
    /// <param name="mounts">Those of its mounts that have a host path. All that map ids map them the same way.</param>
    /// <param name="serverId">The user of the machine's QEMU, asked for when ids are mapped.</param>
    /// <param name="cancellationToken">Ends the work and undoes it.</param>
    /// <returns>What the guest is told of each, in the same order; the first of each is the path itself.</returns>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: a path is missing, or neither file nor directory. <see cref="PodFault.HostFailed"/>: the kernel refused.</exception>
    public async Task<IReadOnlyList<IReadOnlyList<MountSpec>>> BindAsync(
        string podId, string containerId, IReadOnlyList<ContainerMount> mounts, Func<uint> serverId, CancellationToken cancellationToken)
    {
        string directory = store.ContainerShareDirectory(podId, containerId);
        using SafeFileHandle? userNamespace = mounts.FirstOrDefault(mount => mount.IdMap is not null)?.IdMap is { } map
            ? await IdMapNamespace.OpenAsync(map, serverId(), cancellationToken)
            : null;
        try
        {
            var specs = new List<IReadOnlyList<MountSpec>>(mounts.Count);
            foreach (ContainerMount mount in mounts)
            {
                string name = specs.Count.ToString(CultureInfo.InvariantCulture);

                // On a thread of the pool: a path of a network file system may take its time.
                specs.Add(await Task.Run(() => Bind(mount, directory, containerId, name, userNamespace), cancellationToken).WaitAsync(cancellationToken));
            }

            return specs;
        }
        catch (Exception)
        {
            Release(directory);
            throw;
        }
    }

    /// <summary>Unbinds all of a container. Nothing bound is no error.</summary>
    public Task ReleaseContainerAsync(string podId, string containerId, CancellationToken cancellationToken) =>
        Task.Run(() => Release(store.ContainerShareDirectory(podId, containerId)), cancellationToken);

    /// <summary>Unbinds all of a pod. Nothing bound is no error.</summary>
    public Task ReleasePodAsync(string podId, CancellationToken cancellationToken) =>
        Task.Run(() => Release(store.ShareDirectory(podId)), cancellationToken);

    private static List<MountSpec> Bind(ContainerMount mount, string directory, string containerId, string name, SafeFileHandle? userNamespace)
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

            bind.AttachTo(target);
        }
        catch (HostException cause)
        {
            throw Refused(mount.HostPath, "bound", cause);
        }

        return [.. Specs(mount, $"{containerId}/{name}", HostMounts.Below(target).Skip(1).Select(point => point[(target.Length + 1)..]))];
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

        try
        {
            foreach (string mountPoint in HostMounts.Below(directory).Reverse())
            {
                BindMount.Detach(mountPoint);
            }
        }
        catch (HostException cause)
        {
            throw Refused(directory, "released", cause);
        }

        if (HostMounts.Below(directory).FirstOrDefault() is { } left)
        {
            // Deleting now would delete the host's own files.
            throw new PodException(PodFault.HostFailed, directory, $"'{left}' is still mounted; unmount it by hand, then try again.");
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
